"""How upstreams are asked over HTTP.

Belongs here: requests, logins, retries, paging, stated counts. Does not belong here: what the bytes mean (formats/) or
where they are kept (landing.py).
"""
