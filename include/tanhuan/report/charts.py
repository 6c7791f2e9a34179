"""One static SVG a path: legible in grey (shapes and dashes tell the series apart), with a title and a description."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

from tanhuan.report.path import BASELINE, DRAFT, EXPECTED, FROZEN, OTHER, TARGET, VALUE, IndicatorPath

if TYPE_CHECKING:
    import altair as alt

_FONT = "'Noto Sans CJK SC', 'Microsoft YaHei', 'PingFang SC', sans-serif"
_WIDTH, _HEIGHT, _EMPTY_HEIGHT = 600, 150, 40
_INK = "#1b1f24"
#: series → shape, colour, dashes, size; no two share a shape, so colour is not needed
_LOOK: dict[str, tuple[str, str, list[int], int]] = {
    VALUE: ("circle", _INK, [1, 0], 60),
    EXPECTED: ("stroke", "#767676", [5, 4], 60),
    BASELINE: ("square", "#0b57a4", [1, 0], 70),
    OTHER: ("triangle-up", "#5b7fa6", [1, 0], 80),
    TARGET: ("cross", "#a1241b", [1, 0], 110),
    FROZEN: ("diamond", _INK, [1, 0], 230),
    DRAFT: ("triangle-down", _INK, [1, 0], 170),
}


def draw(path: IndicatorPath) -> str:
    """Return the path as an SVG element that can stand in a page beside others."""
    import vl_convert
    from altair.utils.schemapi import debug_mode

    # The specification is ours and the same for every chart: validating each of its parts takes longer than drawing.
    with debug_mode(False):
        spec = (_build(path) if path.points else _build_empty()).to_dict(validate=False)
    return _finish(str(vl_convert.vegalite_to_svg(spec)), path)


def _build(path: IndicatorPath) -> alt.LayerChart:
    import altair as alt

    shown = [series for series in _LOOK if any(p.series == series for p in path.points)]
    data = alt.Data(
        values=[{"series": p.series, "year": p.year, "value": p.value, "label": p.label} for p in path.points]
    )
    x = alt.X(
        "year:Q",
        title=None,
        axis=alt.Axis(format="d", values=list(range(path.years[0], path.years[-1] + 1)), grid=False),
        scale=alt.Scale(domain=[path.years[0] - 0.8, path.years[-1] + 0.8], nice=False),
    )
    y = alt.Y("value:Q", title=path.unit or None, scale=alt.Scale(zero=False, nice=True, padding=24))

    def look(part: int) -> alt.Scale:
        return alt.Scale(domain=shown, range=[_LOOK[series][part] for series in shown])

    def only(*series: str) -> alt.FieldOneOfPredicate:
        return alt.FieldOneOfPredicate(field="series", oneOf=list(series))

    base = alt.Chart(data).encode(x=x, y=y)
    color = alt.Color("series:N", scale=look(1), title=None)
    lines = base.transform_filter(only(VALUE, EXPECTED)).mark_line(strokeWidth=1.6)
    lines = lines.encode(color=color, strokeDash=alt.StrokeDash("series:N", scale=look(2), title=None))
    shape = alt.Shape("series:N", scale=look(0), title=None)
    marks = [
        base.transform_filter(only(series))
        .mark_point(filled=True, opacity=1, size=_LOOK[series][3])
        .encode(color=color, shape=shape)
        for series in shown
        if series != EXPECTED
    ]
    # Beside baselines, over values; a target stands on the side that its path does not come from.
    beside = base.transform_filter(only(BASELINE, OTHER)).mark_text(align="right", dx=-9, dy=1, fontSize=11)
    over = base.transform_filter(only(VALUE, FROZEN, DRAFT)).mark_text(dy=-15, fontSize=11, fontWeight=600)
    target = base.transform_filter(only(TARGET)).mark_text(dy=-14 if path.is_upward else 16, fontSize=11)
    texts = [text.encode(text="label:N", color=color) for text in (beside, over, target)]
    return _dress(alt.layer(lines, *marks, *texts))


def _build_empty() -> alt.LayerChart:
    import altair as alt

    words = alt.Chart(alt.Data(values=[{"label": "没有可绘制的数值 no figure to draw"}]))
    return _dress(alt.layer(words.mark_text(fontSize=13, color="#57606a").encode(text="label:N")), _EMPTY_HEIGHT)


def _dress(chart: Any, height: int = _HEIGHT) -> Any:
    dressed = chart.properties(width=_WIDTH, height=height, background="white")
    return (
        dressed.configure(font=_FONT)
        .configure_view(stroke="#d0d7de")
        .configure_axis(labelFontSize=11, titleFontSize=11, titleFontWeight="normal", gridColor="#e6e9ec")
        .configure_legend(orient="bottom", labelFontSize=10.5, symbolSize=60, columns=6, columnPadding=8, offset=6)
    )


def _finish(svg: str, path: IndicatorPath) -> str:
    """Give the drawing a title and a description, and names that no other drawing of the page has."""
    prefix = f"chart-{path.indicator_no}"
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", svg)
    opening, _, rest = svg.partition(">")
    told = (
        f'<title id="{prefix}-title">{escape(path.title)}</title>'
        f'<desc id="{prefix}-desc">{escape(path.description)}</desc>'
    )
    return f'{opening} role="img" aria-labelledby="{prefix}-title {prefix}-desc">{told}{rest}'
