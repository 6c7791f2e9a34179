"""Gates: expectations become row rules (one SQL pass) and Great Expectations runs; answers are data.

Belongs here: reading suites, compiling, validating, turning results into rows and sentences. Does not belong here: a
check itself — those are written once, in `expectations/*.json` — or a decision about files (admit.py, warehouse/).
"""
