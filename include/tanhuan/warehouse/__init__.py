"""The warehouse: load, dbt build, gate 2, publication. Only the refresh DAG (or `tanhuan rebuild`) writes here.

Belongs here: what moves whole tables between lake, `warehouse.duckdb` and `published/`. Does not belong here: what the
tables mean (dbt_project/) or which values are allowed (expectations/).
"""
