"""Frozen assessments → `ops.ops_assessment` and `raw.assessment_indicator`, so that they can be compared with today.

The folder is the truth: both tables are filled anew from it each time. There are few freezes, and none ever changes.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from tanhuan.assess.archive import MANIFEST, Freeze, list_freezes
from tanhuan.settings import Settings

_RAW = """
create or replace table raw.assessment_indicator (
    plan_id varchar, indicator_no integer, indicator varchar, region_code varchar, assessment_point varchar,
    freeze_no integer, year integer, due_date date, frozen_at timestamptz, frozen_as_of_date date,
    source_version varchar, value decimal(18, 4), unit varchar, status varchar, target_value decimal(18, 4),
    target_unit varchar, target_doc_no varchar, standard_code varchar, coverage_n bigint, data_basis varchar,
    inputs_hash varchar
)
"""

_INSERT_RAW = """
insert into raw.assessment_indicator
select
    plan_id, indicator_no, indicator, region_code, assessment_point, $freeze_no, year, due_date,
    $frozen_at::timestamptz, $as_of::date, $source_version, value, unit, status, target_value, target_unit,
    target_doc_no, standard_code, coverage_n, data_basis, inputs_hash
from read_parquet($file)
"""

_INSERT_OPS = """
insert into ops.ops_assessment by name
select
    plan_id, assessment_point, freeze_no, year, due_date, frozen_at, frozen_by, as_of as as_of_date, source_version,
    source_content_hash, content_hash, code_revision, rules_digest, verdict, note, reason
from read_json($files, columns = {
    'plan_id': 'VARCHAR', 'assessment_point': 'VARCHAR', 'freeze_no': 'INTEGER', 'year': 'INTEGER', 'due_date': 'DATE',
    'frozen_at': 'TIMESTAMPTZ', 'frozen_by': 'VARCHAR', 'as_of': 'DATE', 'source_version': 'VARCHAR',
    'source_content_hash': 'VARCHAR', 'content_hash': 'VARCHAR', 'code_revision': 'VARCHAR', 'rules_digest': 'VARCHAR',
    'verdict': 'VARCHAR', 'note': 'VARCHAR', 'reason': 'VARCHAR'
})
"""


def list_assessments(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Fill `ops.ops_assessment` with every freeze there is; in the caller's transaction."""
    con.execute("delete from ops.ops_assessment")
    if files := [str(frozen.path / MANIFEST) for frozen in list_freezes(settings)]:
        con.execute(_INSERT_OPS, {"files": files})


def load_assessments(con: duckdb.DuckDBPyConnection, settings: Settings) -> int:
    """Fill `raw.assessment_indicator` with the frozen indicators; return how many freezes there are."""
    freezes = list_freezes(settings)
    con.execute("begin")
    con.execute(_RAW)
    _insert(con, freezes)
    con.execute("commit")
    return len(freezes)


def _insert(con: duckdb.DuckDBPyConnection, freezes: Sequence[Freeze]) -> None:
    for frozen in freezes:
        told = {key: frozen.manifest[key] for key in ("freeze_no", "frozen_at", "as_of", "source_version")}
        file = str(frozen.path / "parquet" / "ind_plan_indicator.parquet")
        con.execute(_INSERT_RAW, {**told, "file": file})
