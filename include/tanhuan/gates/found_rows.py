"""How Great Expectations asks DuckDB for the rows that a query finds: each query once, those of row checks together.

Great Expectations 1.24 runs the query of an `unexpected_rows_expectation` twice, once for the number of rows and once
for the rows, and every one on its own. Here, for DuckDB only, a row check's query becomes one more aggregate of the
statement in which the other row checks are counted anyway, and any other query tells number and rows at once.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from great_expectations.constants import MAX_RESULT_RECORDS
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.core.metric_function_types import MetricPartialFunctionTypes
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.metrics.metric_provider import metric_partial, metric_value
from great_expectations.expectations.metrics.query_metric_provider import QueryMetricProvider
from great_expectations.validator.metric_configuration import MetricConfiguration

from tanhuan.gates import duckdb_dialect
from tanhuan.gates.row_rules import QUERY_PREFIX

_COUNT = "_rows_found"


class DuckDBExecutionEngine(SqlAlchemyExecutionEngine):
    """Great Expectations' engine on DuckDB; one data source has one.

    `row_queries` are the queries that look at one row at a time. What others found is kept: the data of a source stay
    as they are while it is open.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dialect_module = duckdb_dialect
        self.row_queries: frozenset[str] = frozenset()
        self._found: dict[str, tuple[list[dict[str, Any]], int]] = {}

    def find(self, query: str) -> tuple[list[dict[str, Any]], int]:
        """Return the first rows that a query finds, and how many there are."""
        if query not in self._found:
            counted = (
                f"with found as materialized ({query}) "
                f"select *, (select count(*) from found) as {_COUNT} from found limit {MAX_RESULT_RECORDS}"
            )
            rows = [dict(row) for row in self.execute_query(sa.text(counted)).mappings()]
            count = next((row[_COUNT] for row in rows), 0)
            self._found[query] = [{n: v for n, v in row.items() if n != _COUNT} for row in rows], count
        return self._found[query]


class _FoundRows(QueryMetricProvider):
    value_keys = ("unexpected_rows_query",)
    query_param_name = "unexpected_rows_query"

    @classmethod
    def _name_batch(cls, query: str, engine: DuckDBExecutionEngine, domain: dict[str, Any]) -> str:
        batch, _, _ = engine.get_compute_domain(domain, domain_type=MetricDomainTypes.TABLE)
        return cls._get_substituted_batch_subquery_from_query_and_batch_selectable(query, batch, engine)


class _RowsFoundCount(_FoundRows):
    metric_name = "unexpected_rows_query.row_count"

    @metric_partial(
        engine=DuckDBExecutionEngine,
        partial_fn_type=MetricPartialFunctionTypes.AGGREGATE_FN,
        domain_type=MetricDomainTypes.TABLE,
    )
    def _count(
        cls,
        execution_engine: DuckDBExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        query = cls._get_query_from_metric_value_kwargs(metric_value_kwargs)
        if query in execution_engine.row_queries:
            failing = cls._format_query(query.removeprefix(QUERY_PREFIX))
            return sa.func.count().filter(sa.literal_column(f"({failing})")), metric_domain_kwargs, {}
        _, count = execution_engine.find(cls._name_batch(query, execution_engine, metric_domain_kwargs))
        # An aggregate, too: a constant would come once for every row of the batch.
        return sa.func.count() * 0 + count, metric_domain_kwargs, {}


class _RowsFound(_FoundRows):
    metric_name = "unexpected_rows_query.table"

    @metric_value(engine=DuckDBExecutionEngine)
    def _list(
        cls,
        execution_engine: DuckDBExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> list[dict[str, Any]]:
        if not metrics[_RowsFoundCount.metric_name]:
            return []
        query = cls._get_query_from_metric_value_kwargs(metric_value_kwargs)
        rows, _ = execution_engine.find(cls._name_batch(query, execution_engine, metric_domain_kwargs))
        return rows

    @classmethod
    def _get_evaluation_dependencies(
        cls, metric: MetricConfiguration, *args: Any, **kwargs: Any
    ) -> dict[str, MetricConfiguration]:
        name = _RowsFoundCount.metric_name
        return {name: MetricConfiguration(name, metric.metric_domain_kwargs, metric.metric_value_kwargs)}
