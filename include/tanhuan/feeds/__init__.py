"""How each kind of upstream is asked: one module per kind.

Belongs here: requests, logins, paging, counts. Does not belong here: what the bytes mean (formats/) or where they
are kept (landing.py).
"""
