"""Great Expectations on DuckDB: an ephemeral context, one data source per place, nothing written, nothing sent.

With found_rows.py the only module that imports great_expectations; it is imported inside tasks, never by a DAG file.
"""

from __future__ import annotations

import builtins
import itertools
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Literal

# Great Expectations reads at import whether it may report its use; it may not, whatever the machine's environment says.
os.environ["GX_ANALYTICS_ENABLED"] = "false"
# Its own remarks would bury the answers in a task log.
logging.getLogger("great_expectations").setLevel(logging.WARNING)

import great_expectations as gx
from great_expectations.core.batch_definition import BatchDefinition
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine

from tanhuan.duck import quote
from tanhuan.gates.found_rows import DuckDBExecutionEngine
from tanhuan.gates.results import CheckResult, from_great_expectations, passed
from tanhuan.gates.suites import Check, Suite


class DuckDBDatasource(SQLDatasource):
    """The fluent data source `duckdb`: registers `context.data_sources.add_duckdb`."""

    type: Literal["duckdb"] = "duckdb"  # type: ignore[assignment]

    @property
    def execution_engine_type(self) -> builtins.type[SqlAlchemyExecutionEngine]:
        """The engine that knows DuckDB's regular expressions and asks every query once."""
        return DuckDBExecutionEngine


class Validator:
    """Validates checks on a Parquet file or on a table of a DuckDB file; one context a process is enough."""

    def __init__(self) -> None:
        # Without this it would leave a temporary folder for pages that nobody asked for.
        stores = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
        in_memory = DataContextConfig(store_backend_defaults=stores, analytics_enabled=False)
        self._context = gx.get_context(mode="ephemeral", project_config=in_memory)
        self._context.variables.progress_bars = ProgressBarsConfig(globally=False)
        self._sources = itertools.count(1)

    @contextmanager
    def open_parquet(self, pattern: str, prepare: Sequence[str] = ()) -> Iterator[BatchDefinition]:
        """Give a batch of all rows of Parquet files, read without any database file.

        `prepare`: statements that every connection runs first, e.g. those that show what is known.
        """
        query = f"select * from read_parquet({quote(pattern)}, hive_partitioning = false)"
        with self._open_source("duckdb:///:memory:", prepare) as source:
            asset = source.add_query_asset("batch", query=query)
            yield asset.add_batch_definition_whole_table("all")

    @contextmanager
    def open_database(self, path: Path) -> Iterator[Callable[[str], BatchDefinition]]:
        """Give a function from a table's name to a batch of all its rows, over one read-only connection.

        The connection is closed afterwards: the warehouse has one writer, and it must find the file free.
        """
        with self._open_source(f"duckdb:///{path}?access_mode=read_only") as source:
            yield lambda table: source.add_table_asset(table, table_name=table).add_batch_definition_whole_table("all")

    @contextmanager
    def _open_source(self, connection_string: str, prepare: Sequence[str] = ()) -> Iterator[Any]:
        name = f"source-{next(self._sources)}"
        options = {"connect_args": {"prepare": list(prepare)}}
        source = self._context.data_sources.add_duckdb(name, connection_string=connection_string, kwargs=options)
        try:
            yield source
        finally:
            source.get_execution_engine().close()
            source.get_engine().dispose()
            self._context.data_sources.delete(name)

    def check(
        self, batch: BatchDefinition, suite: Suite, checks: list[Check], parameters: dict[str, Any]
    ) -> list[CheckResult]:
        """Return the answers to checks in their order.

        All are first asked for yes or no, which needs half the queries; only those that fail are asked again for
        counts and samples.
        """
        failing = {
            check.id
            for check, answer in self._validate(batch, suite.name, checks, parameters, "BOOLEAN_ONLY")
            if not answer.success
        }
        details = self._validate(batch, suite.name, [c for c in checks if c.id in failing], parameters, "COMPLETE")
        found = {check.id: from_great_expectations(check, answer.to_json_dict()) for check, answer in details}
        return [found.get(c.id) or passed(c) for c in checks]

    def _validate(
        self,
        batch: BatchDefinition,
        name: str,
        checks: list[Check],
        parameters: dict[str, Any],
        result_format: Literal["BOOLEAN_ONLY", "COMPLETE"],
    ) -> list[tuple[Check, Any]]:
        if not checks:
            return []
        by_id = {c.id: c for c in checks}
        engine = batch.data_asset.datasource.get_execution_engine()
        engine.row_queries = frozenset(_list_row_queries(checks))
        suite = gx.ExpectationSuite(name=name, expectations=[c.expectation for c in checks if c.expectation])
        answer = batch.get_batch().validate(suite, result_format=result_format, expectation_parameters=parameters)
        # As they are: to write one as plain data takes milliseconds a decimal, and most only say whether they pass.
        configured: list[tuple[Any, Any]] = [(result.expectation_config, result) for result in answer.results]
        return [(by_id[configuration.meta["id"]], result) for configuration, result in configured]


def _list_row_queries(checks: list[Check]) -> list[str]:
    queries = (
        c.expectation["kwargs"].get("unexpected_rows_query") for c in checks if c.expectation and c.level == "row"
    )
    return [query for query in queries if query]


@cache
def get_validator() -> Validator:
    """Return this process's validator."""
    return Validator()
