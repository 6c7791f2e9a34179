"""The field's own arithmetic that SQL does not hold, one module a subject.

Belongs here: identifiers and codes with check digits, and the like, as pure functions.
Does not belong here: limits, breakpoints, factors (dated rows in dbt_project/seeds/), anything that reads or writes.
"""
