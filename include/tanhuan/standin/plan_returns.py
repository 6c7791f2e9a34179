"""What other departments and the province hand in about the invented city: returns of indicators, commitments, targets.

Belongs here: the tables `department_return`, `commitment_return` and `provincial_target`. The city's figures are CSV
files in data/; what each county has of them is drawn, and adds up to them. Real forms have gaps, so these have some: a
year without counties, a county that forgot a year, a return that was corrected, two commitments nobody reports on.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from tanhuan.standin.city import SYNTHETIC, City, Row, read_rows
from tanhuan.standin.draws import between

PLAN_ID = "14"
CITY = "430300"
COMMITMENT_YEARS = range(2021, 2026)
#: Roughly how much of the city each county is.
_WEIGHTS = {"430302": 0.24, "430304": 0.20, "430321": 0.27, "430381": 0.22, "430382": 0.07}
#: Indicators whose numerator is no part of the denominator: energy and carbon per GDP.
_INTENSITIES = {"25", "26"}
#: The year for which the returns of waste-water collection were not yet made by county.
_WITHOUT_COUNTIES = {("16", 2021)}
#: A county that did not report.
_FORGOTTEN = {("20", 2022, "430382")}
#: A return that was corrected when the economic census had revised the GDP: the factor of its denominator, the month.
_CORRECTED = {("25", 2023): (Decimal("0.995"), 9)}


def list_targets() -> list[Row]:
    """Return the rows of the table provincial_target."""
    return [{**row, "data_basis": SYNTHETIC} for row in read_rows("targets")]


def list_returns(city: City) -> list[Row]:
    """Return the rows of the table department_return."""
    items = {(row["indicator_no"], row["part"]): row for row in read_rows("return_items")}
    return [
        row for line in read_rows("returns") for row in _rows_of(city, items[line["indicator_no"], line["part"]], line)
    ]


def list_commitments() -> list[Row]:
    """Return the rows of the table commitment_return."""
    return [
        {
            "plan_id": PLAN_ID,
            "commitment_id": line["commitment_id"],
            "region_code": CITY,
            "year": str(year),
            "numerator": line[f"numerator_{year}"],
            "denominator": line["denominator"],
            "quantity_unit": line["quantity_unit"],
            "issuer": line["issuer"],
            "doc_no": f"示例承诺〔{year + 1}〕{line['commitment_id']}号",
            "as_of_date": f"{year}-12-31",
            "issued_date": f"{year + 1}-03-05",
            "data_basis": SYNTHETIC,
        }
        for line in read_rows("commitment_returns")
        for year in COMMITMENT_YEARS
        if line[f"numerator_{year}"]
    ]


def _rows_of(city: City, item: Row, line: Row) -> Iterator[Row]:
    """Yield a year's return of the city, a correction if there was one, and the returns of its counties."""
    number, year = str(line["indicator_no"]), int(str(line["year"]))
    numerator, denominator = (Decimal(str(line[name])) for name in ("numerator", "denominator"))
    first_day = f"{year + 1}-02-{10 + int(number) % 15:02d}"
    first_doc = f"示例报送〔{year + 1}〕{number}号"
    yield _row(item, year, CITY, numerator, denominator, first_doc, first_day)
    if correction := _CORRECTED.get((number, year)):
        factor, month = correction
        corrected = (denominator * factor).quantize(Decimal("0.1"))
        document = f"示例报送〔{year + 1}〕{number}-2号"
        yield _row(item, year, CITY, numerator, corrected, document, f"{year + 1}-{month:02d}-15")
    if item["by_county"] == "true" and (number, year) not in _WITHOUT_COUNTIES:
        for county, (part, whole) in _split(city, item, line, numerator, denominator).items():
            if (number, year, county) not in _FORGOTTEN:
                yield _row(item, year, county, part, whole, first_doc, first_day)


def _split(
    city: City, item: Row, line: Row, numerator: Decimal, denominator: Decimal
) -> dict[str, tuple[Decimal, Decimal]]:
    """Return each county's numerator and denominator; both add up to the city's, no share exceeds one.

    The denominator is split the same way every year; the numerator follows it, a little better here and worse there.
    """
    key = (city.seed, "return", line["indicator_no"])
    unit = Decimal(1).scaleb(-int(str(item["decimals"])))
    weights = {c: Decimal(w * between(0.9, 1.1, *key, c)) for c, w in _WEIGHTS.items()}
    wholes = {c: (denominator * w / sum(weights.values())).quantize(unit) for c, w in weights.items()}
    wholes["430321"] += denominator - sum(wholes.values())
    parts = {
        c: min(_most(line, whole), (whole * numerator / denominator * _luck(city, line, c)).quantize(unit))
        for c, whole in wholes.items()
    }
    for county, whole in wholes.items():
        left = numerator - sum(parts.values())
        parts[county] += max(-parts[county], min(left, _most(line, whole) - parts[county]))
    return {c: (parts[c], wholes[c]) for c in _WEIGHTS}


def _luck(city: City, line: Row, county: str) -> Decimal:
    return Decimal(between(0.96, 1.04, city.seed, "county", line["indicator_no"], county))


def _most(line: Row, whole: Decimal) -> Decimal:
    return whole * 100 if line["indicator_no"] in _INTENSITIES else whole


def _row(
    item: Row, year: int, region: str, numerator: Decimal, denominator: Decimal, doc_no: str, issued_date: str
) -> Row:
    return {
        "plan_id": PLAN_ID,
        "indicator_no": item["indicator_no"],
        "region_code": region,
        "year": str(year),
        "part": item["part"],
        "numerator": str(numerator),
        "denominator": str(denominator),
        "quantity_unit": item["quantity_unit"],
        "issuer": item["issuer"],
        "doc_no": doc_no,
        "as_of_date": f"{year}-12-31",
        "issued_date": issued_date,
        "data_basis": SYNTHETIC,
    }
