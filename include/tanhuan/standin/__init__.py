"""The stand-in for the bureau's upstream platforms: same protocol, on loopback, without their data.

Belongs here: the HTTP server, its token and its ways to misbehave; the real recording it replays; the invented city and
the generator of its hours. Rows are `measured` if they come from the recording, else `synthetic`.
Does not belong here: anything the platform needs in production. Only the command line and tests import this package,
and it imports nothing of ours but `contracts` and `standards`.
"""
