"""Permits: a site stays one site when its number changes, and a doubtful number is shown, never mended."""

from __future__ import annotations

import pytest

from tanhuan.settings import Settings
from tanhuan.standards.identifiers import Finding, classify_permit_no, classify_uscc
from tests.dbt.small_warehouse import add_snapshot, build_models, create_warehouse, fetch

OLD, NEW = "91520000722105429Q003V", "91520198MAAMOWECXQ001V"
ZERO = NEW.replace("O", "0")
#: an oil depot of public record: version 1 under the parent's code, version 2 under that of a new subsidiary
DEPOT_1 = {"permit_no": OLD, "uscc": OLD[:18], "site_name": "久长油库", "status": "有效", "version_no": 1}
DEPOT_1 |= {"valid_from_date": "2020-07-30", "valid_to_date": "2023-07-29", "change_type": "申领"}
DEPOT_1 |= {"changed_date": "2020-07-30"}
DEPOT_2 = DEPOT_1 | {"permit_no": NEW, "uscc": NEW[:18], "version_no": 2, "change_type": "变更"}
DEPOT_2 |= {"changed_date": "2021-12-30", "previous_permit_no": OLD}


@pytest.fixture
def warehouse(home: Settings) -> Settings:
    create_warehouse(home)
    return home


def test_what_was_reported_under_the_old_number_leads_to_the_site(warehouse: Settings) -> None:
    add_snapshot(warehouse, "2021-06-01-1", "permit", [DEPOT_1])
    add_snapshot(warehouse, "2022-06-01-1", "permit", [DEPOT_2])
    outlet = {"outlet_code": "DA001", "outlet_name": "油气回收", "medium": "air"}
    add_snapshot(warehouse, "2022-06-01-2", "permit_outlet", [outlet | {"permit_no": OLD}, outlet | {"permit_no": NEW}])
    build_models(warehouse, "dim_permit", "dim_enterprise")
    sites = fetch(
        warehouse,
        "select permit_no, site_permit_no, site_name, superseded_date::varchar, outlet_count "
        "from dim_permit order by permit_no",
    )
    assert sites == [(OLD, NEW, "久长油库", "2021-12-30", 1), (NEW, NEW, "久长油库", None, 1)]
    # The parent company holds nothing any more, and the depot is not counted twice.
    assert fetch(warehouse, "select uscc, permit_count from dim_enterprise") == [(NEW[:18], 1)]


def test_a_zero_typed_as_o_in_another_feed_joins_nothing_and_is_shown(warehouse: Settings) -> None:
    add_snapshot(warehouse, "1", "permit", [DEPOT_2 | {"previous_permit_no": None}])
    add_snapshot(warehouse, "2", "permit_outlet", [{"permit_no": ZERO, "outlet_code": "DA001"}])
    add_snapshot(warehouse, "3", "blacklist", [{"uscc": "91230600716671629P", "listed_date": "2024-01-01"}])
    add_snapshot(warehouse, "4", "device_binding", [{"permit_no": "91630121926783280K001A", "mn_code": "1"}])
    add_snapshot(warehouse, "5", "emission_base", [{"source_code": "AREA-430321-livestock"}])
    build_models(warehouse, "dim_permit", "mart_identifier_finding")
    assert fetch(warehouse, "select permit_no, outlet_count from dim_permit") == [(NEW, 0)]
    found = fetch(
        warehouse,
        "select code_kind, code, finding, places, zero_reading, is_zero_reading_valid, zero_reading_places "
        "from mart_identifier_finding order by code, finding",
    )
    assert found == [
        ("uscc", "91230600716671629P", "check_digit_failed", "blacklist.uscc", None, None, None),
        ("uscc", NEW[:18], "letter_o_for_zero", "permit.uscc", ZERO[:18], True, None),
        ("permit_no", NEW, "letter_o_for_zero", "permit.permit_no", ZERO, True, "permit_outlet.permit_no"),
        ("permit_no", "91630121926783280K001A", "unusual_letter", "device_binding.permit_no", None, None, None),
    ]
    for kind, code, finding, *_ in found:
        assert Finding(finding) in (classify_permit_no(code) if kind == "permit_no" else (classify_uscc(code),))
