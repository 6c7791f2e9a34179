"""Codes in words, and numbers as people write them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

BASIS_ZH = {"measured": "实测", "synthetic": "合成", "mixed": "混合（含合成）", "stated": "文件所载"}
#: how a figure that rests on invented rows is marked beside it
SYNTHETIC_ZH = {"synthetic": "合成", "mixed": "含合成"}
VERDICT_ZH = {"attained": "达到", "not_attained": "未达到", "undecided": "尚不能下结论", "not_due": "未到期"}
COMPARED_ZH = {"interim": "当年目标", "path": "进度线", "final": "末年目标", "guard": "底线"}
OP_ZH = {">=": "≥", "<=": "≤", "=": "=", ">": ">", "<": "<"}
DOCUMENT_ZH = {"return": "部门报送", "target": "省级目标", "project": "减排项目", "project_evidence": "项目佐证"}
POLLUTANT_ZH = {"cod": "化学需氧量", "nh3n": "氨氮", "vocs": "挥发性有机物", "nox": "氮氧化物"}
VERIFICATION_ZH = {
    "verified": "已核定",
    "evidence_missing": "缺佐证",
    "capped": "按上限核定",
    "base_missing": "缺基数",
    "not_commissioned": "未投运",
}
#: only where no row of an indicator brings the word itself (rules.assessment_cause)
STATUS_ZH = {
    "attained": "达标",
    "on_track": "按进度",
    "at_risk": "有风险",
    "not_attained": "未达标",
    "target_missing": "缺目标",
    "data_missing": "缺数据",
    "data_insufficient": "数据不足",
    "qualitative_review": "待定性评审",
    "not_assessed": "不评估",
    "not_due": "未到期",
}
DUE_ZH = {"once": "到期一次", "annual": "每年", "ongoing": "持续"}
#: kind of a point, by the first part of its name
_POINT_ZH = {"MID": "中期评估", "FINAL": "终期评估", "ANNUAL": "年度评估", "BASELINE": "基准年"}
WARNING_ZH = "本报告含合成数据（演示用，非实测），标有“合成”的数值不得引用。"
WARNING_EN = "Contains synthetic figures, made for demonstration and not measured; do not quote them."
DRAFT_ZH = "未冻结 草稿"


def is_synthetic(basis: str | None) -> bool:
    """Tell whether a figure rests on invented rows, if only in part."""
    return basis in SYNTHETIC_ZH


def name_point(point: str, year: int) -> str:
    """Return what people call a point: 中期评估（2023年）; its own name if its kind is not known."""
    kind = _POINT_ZH.get(point.split("_")[0])
    return f"{kind}（{year}年）" if kind else point


def count_places(value: Any, most: int = 4) -> int:
    """Return how many places a number needs, trailing zeros left out."""
    text = f"{Decimal(str(value)):.{most}f}".rstrip("0")
    return len(text.partition(".")[2])


def write_number(value: Any, places: int = 2) -> str:
    """Return a number with at most so many places, `–` if there is none."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, Decimal | float | int):
        return str(value)
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def write_figure(value: Any, unit: str | None, basis: str | None = None) -> str:
    """Return a number with its unit, and marked if it is invented: 90.5 %（合成）."""
    if value is None:
        return "–"
    text = f"{write_number(value, 4)} {unit or ''}".strip()
    return f"{text}（{SYNTHETIC_ZH[basis]}）" if basis in SYNTHETIC_ZH else text
