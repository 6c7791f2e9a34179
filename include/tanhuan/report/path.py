"""An indicator's path as a chart draws it: its values, the expected path, both baselines, the target, the figure told.

Belongs here: choosing and ordering what is published or frozen. Nothing is computed: the expected path is joined from
the values that each year was compared with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tanhuan.report.gather import Assessment, Row
from tanhuan.report.words import OP_ZH, is_synthetic, write_figure

VALUE, EXPECTED, BASELINE, OTHER, TARGET = (
    "数值 value",
    "进度线 expected path",
    "基数 baseline",
    "另一基数 2nd baseline",
    "目标 target",
)
FROZEN, DRAFT = "冻结值 frozen", "草稿值 draft"


@dataclass(frozen=True)
class Point:
    """One mark of a chart."""

    series: str
    year: int
    value: float
    label: str = ""


@dataclass(frozen=True)
class IndicatorPath:
    """What is drawn of one indicator of the region that the plan is for."""

    indicator_no: int
    indicator: str
    unit: str
    points: list[Point]
    synthetic_years: list[int]
    is_upward: bool

    @property
    def title(self) -> str:
        """The chart's heading."""
        mark = "（含合成数据）" if self.synthetic_years else ""
        return f"{self.indicator_no} {self.indicator}：历年路径{mark}"

    @property
    def description(self) -> str:
        """The chart in a sentence, for those who do not see it."""
        if not self.points:
            return "没有可绘制的数值。 No figure to draw."
        parts: dict[str, list[str]] = {}
        for point in self.points:
            parts.setdefault(point.series, []).append(f"{point.year} 年 {write_figure(point.value, self.unit)}")
        told = "；".join(f"{series}：{'，'.join(marks)}" for series, marks in parts.items())
        years = "、".join(map(str, self.synthetic_years))
        return f"{told}。" + (f"合成的年度：{years}。" if years else "")

    def of(self, series: str) -> dict[int, float]:
        """Return a series by year."""
        return {point.year: point.value for point in self.points if point.series == series}

    @property
    def years(self) -> list[int]:
        """Every year in which something is marked."""
        return sorted({point.year for point in self.points})


def lay_out_path(told: Assessment, row: Row) -> IndicatorPath:
    """Return the path of an indicator."""
    unit = row["unit"] or ""
    years = told.path.get(row["indicator_no"], [])
    same = [r for r in years if (r["unit"] or "") == unit]
    points = [_mark(VALUE, r, r["year"] != told.point.year) for r in same if r["value"] is not None]
    points += _expect(row, same, unit)
    for series, name in ((BASELINE, "baseline"), (OTHER, "other_baseline")):
        if row[f"{name}_value"] is not None and row[f"{name}_year"] is not None:
            label = f"基数 {write_figure(row[f'{name}_value'], None)}"
            points.append(Point(series, row[f"{name}_year"], float(row[f"{name}_value"]), label))
    if _has_target(row, unit):
        label = f"目标 {OP_ZH.get(row['op'] or '', '')}{write_figure(row['target_value'], None)}"
        points.append(Point(TARGET, row["target_year"], float(row["target_value"]), label))
    if row["value"] is not None:
        points.append(_mark(FROZEN if told.frozen else DRAFT, row, True))
    synthetic = sorted({r["year"] for r in same if r["value"] is not None and is_synthetic(r["data_basis"])})
    return IndicatorPath(row["indicator_no"], row["indicator"], unit, points, synthetic, row["op"] not in ("<=", "<"))


def _mark(series: str, row: dict[str, Any], is_labelled: bool) -> Point:
    label = write_figure(row["value"], None, row["data_basis"]) if is_labelled else ""
    return Point(series, row["year"], float(row["value"]), label)


def _has_target(row: Row, unit: str) -> bool:
    return row["target_value"] is not None and row["target_year"] is not None and (row["target_unit"] or "") == unit


def _expect(row: Row, years: list[Row], unit: str) -> list[Point]:
    """Return baseline, what each year was compared with on the way, and target; nothing without a dated target."""
    compared = {
        r["year"]: float(r["compared_value"])
        for r in years
        if r["compared_value"] is not None and r["compared_with"] in ("path", "interim")
    }
    if not compared or not _has_target(row, unit):
        return []
    compared[row["target_year"]] = float(row["target_value"])
    if row["baseline_value"] is not None and row["baseline_year"] is not None:
        compared = {year: value for year, value in compared.items() if year > row["baseline_year"]}
        compared[row["baseline_year"]] = float(row["baseline_value"])
    return [Point(EXPECTED, year, compared[year]) for year in sorted(compared)]
