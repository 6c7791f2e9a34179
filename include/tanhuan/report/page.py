"""The page: one file without script or anything from elsewhere, made to be printed on A4."""

from __future__ import annotations

from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from tanhuan.report import words
from tanhuan.report.charts import draw
from tanhuan.report.gather import Assessment, Row
from tanhuan.report.path import lay_out_path

#: hash digits that tell two apart for a reader; the workbook has them all
_DIGITS = 12


def render(told: Assessment) -> str:
    """Return the report as one HTML page."""
    paths = {row["indicator_no"]: lay_out_path(told, row) for row in told.lead}
    return (
        _environment()
        .get_template("report.html")
        .render(
            told=told,
            paths=paths,
            charts={number: draw(path) for number, path in paths.items()},
            commitments=[row for row in told.commitments if row["year"] == told.point.year],
            restated=[row for row in told.compared if row["is_restated"]],
            counts={name: told.count_statuses(name) for name in dict.fromkeys(row["attribute"] for row in told.lead)},
        )
    )


@lru_cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tanhuan.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(words=words, ratio=describe_ratio)
    environment.filters.update(number=words.write_number, digits=lambda text: str(text or "–")[:_DIGITS])
    environment.filters["status"] = lambda row, told: told.status_zh.get(row, words.STATUS_ZH.get(row, row))
    return environment


def describe_ratio(row: Row) -> str:
    """Return numerator and denominator in a line, empty where the figure is no ratio."""
    if row["numerator"] is None and row["denominator"] is None:
        return ""
    return f"{words.write_number(row['numerator'], 4)} ÷ {words.write_number(row['denominator'], 4)}"
