"""Assessments: what was published on the day somebody had to sign it, kept for ever.

Belongs here: freezing a point of a plan, and proving that nothing of it has changed since. Does not belong here: how an
indicator is judged (dbt), or how an assessment is laid out for people (`report`).
"""
