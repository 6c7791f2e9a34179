"""The assets that link the DAGs: an opened night, every admitted table, a night's deadline, the publication."""

from __future__ import annotations

from functools import reduce
from operator import and_

from airflow.sdk import Asset

from tanhuan.contracts import load_contracts

NIGHT = Asset(name="night", uri="tanhuan://night")
DEADLINE = Asset(name="night_deadline", uri="tanhuan://night_deadline")
PUBLISHED = Asset(name="published", uri="tanhuan://published/current")

#: an event says that the table's rows of a night passed gate 1
LAKE = {table: Asset(name=f"lake.{table}", uri=f"tanhuan://lake/{table}") for table in load_contracts()}

#: every feed table of a night
WHOLE_LAKE = reduce(and_, LAKE.values())
