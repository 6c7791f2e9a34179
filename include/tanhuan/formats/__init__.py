"""How received bytes become typed rows: one module per format.

Belongs here: reading a payload with DuckDB into the columns of a contract. Does not belong here: whether a value makes
sense (expectations/), or where files lie (the zones).
"""
