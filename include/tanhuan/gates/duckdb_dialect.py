"""A SQLAlchemy dialect that lets Great Expectations 1.24 work on DuckDB 2.0 through duckdb-engine 0.17.

To be dropped when Great Expectations ships a DuckDB engine of its own. It mends three things:

1. duckdb-engine's cursor *is* the connection, and Great Expectations fetches after it has given the connection back,
   which rolls the pending result away. Here every statement has a DuckDB cursor of its own.
2. SQLAlchemy 2.1 reflects columns through `pg_collation`, which DuckDB lacks; here through `duckdb_columns()`.
3. Great Expectations knows no regular expressions for "duckdb". It takes a dialect module's `DremioDialect` as the
   sign for `REGEXP_MATCHES(column, pattern)`, which is DuckDB's own function.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb_engine
from duckdb_engine import ConnectionWrapper, CursorWrapper
from sqlalchemy import text, types
from sqlalchemy.dialects import registry
from sqlalchemy.exc import NoSuchTableError

from tanhuan.settings import TIME_ZONE

_TYPES: dict[str, type[types.TypeEngine]] = {
    "BOOLEAN": types.Boolean,
    "INTEGER": types.Integer,
    "BIGINT": types.BigInteger,
    "HUGEINT": types.BigInteger,
    "DOUBLE": types.Float,
    "DATE": types.Date,
    "TIMESTAMP": types.TIMESTAMP,
    "TIMESTAMP WITH TIME ZONE": types.TIMESTAMP,
}


def _sqlalchemy_type(name: str) -> types.TypeEngine:
    if name.startswith("DECIMAL("):
        precision, scale = name.removeprefix("DECIMAL(").removesuffix(")").split(",")
        return types.Numeric(int(precision), int(scale))
    return _TYPES.get(name, types.String)()


class _OwnCursor(CursorWrapper):
    """One DuckDB cursor per statement: a later rollback on the connection cannot take its result away."""

    @property
    def description(self) -> Any:
        return self._CursorWrapper__c.description

    @property
    def rowcount(self) -> int:
        return -1

    def close(self) -> None:
        self._CursorWrapper__c.close()


class _Connection(ConnectionWrapper):
    def cursor(self) -> _OwnCursor:
        return _OwnCursor(self._ConnectionWrapper__c.cursor(), self)


class Dialect(duckdb_engine.Dialect):
    """duckdb-engine's dialect with its own cursors and reflection."""

    name = "duckdb"
    supports_statement_cache = True

    def connect(self, *args: Any, prepare: Sequence[str] = (), **kwargs: Any) -> Any:
        """Open a connection whose cursors outlive rollbacks and whose days are those of the bureau.

        `prepare`: statements to run first.
        """
        connection = super().connect(*args, **kwargs)._ConnectionWrapper__c
        connection.execute(f"set global TimeZone = '{TIME_ZONE.key}'")
        for statement in prepare:
            connection.execute(statement)
        return _Connection(connection)

    def get_columns(self, connection: Any, table_name: str, schema: str | None = None, **_: Any) -> Any:
        """Reflect a table's columns."""
        rows = connection.execute(
            text(
                "select column_name, data_type, is_nullable, column_default from duckdb_columns() "
                "where table_name = :table_name and schema_name = coalesce(:schema_name, current_schema()) "
                "order by column_index"
            ),
            {"table_name": table_name, "schema_name": schema},
        ).fetchall()
        if not rows:
            raise NoSuchTableError(table_name)
        return [
            {"name": n, "type": _sqlalchemy_type(t), "nullable": bool(null), "default": d, "autoincrement": False}
            for n, t, null, d in rows
        ]

    def get_multi_columns(
        self,
        connection: Any,
        schema: str | None = None,
        filter_names: Any = None,
        scope: Any = None,
        kind: Any = None,
        **_: Any,
    ) -> Any:
        """Reflect the columns of several tables."""
        names = filter_names or self.get_table_names(connection, schema)
        return [((schema, name), self.get_columns(connection, name, schema)) for name in names]

    def get_pk_constraint(self, connection: Any, table_name: str, schema: str | None = None, **_: Any) -> Any:
        """Published tables carry no key constraints; grains are tested."""
        return {"constrained_columns": [], "name": None}

    def get_foreign_keys(self, *_: Any, **__: Any) -> list[Any]:
        """None, as above."""
        return []


dialect = Dialect
DremioDialect = Dialect

registry.register("duckdb", __name__, "Dialect")
registry.register("duckdb.duckdb_engine", __name__, "Dialect")
