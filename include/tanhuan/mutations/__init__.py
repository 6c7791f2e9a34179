"""The mutation test of the gates: spoil a clean night in known ways and see what the gates say: `tanhuan bench gates`.

Belongs here: reading the kinds of corruption, applying them, comparing answers and figures with those of the clean
night. Does not belong here: a kind itself (`tests/gates/mutations/*.yml`), or any check (`expectations/`).
"""
