"""tanhuan (潭环): everything of the platform that is not Airflow.

Belongs here: feeds, formats, zones, gates, warehouse, stand-in and the command line.
Does not belong here: anything that imports airflow (dags/, plugins/), models (dbt_project/), checks (expectations/).
"""
