"""Libraries that take seconds to import are imported once, where tasks are forked from: scheduler or Celery worker.

Airflow reads this module at start-up because `plugins/` is on its path. Never open a DuckDB connection here: it would
be shared by every task.
"""

from __future__ import annotations

import sys

if sys.argv[1:2] == ["scheduler"] or sys.argv[1:3] == ["celery", "worker"]:
    import gc

    import dbt.adapters.duckdb
    import dbt.cli.main
    import dbt.task.build  # noqa: F401

    import tanhuan.admit
    import tanhuan.gates.engine
    import tanhuan.pull
    import tanhuan.warehouse.publish  # noqa: F401

    gc.collect()
    # Forked workers share these objects as long as the collector leaves their pages alone.
    gc.freeze()
