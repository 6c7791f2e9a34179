"""`python -m tanhuan.standin --port 0`: the stand-in as a process of its own.

User and password come from TANHUAN_UPSTREAM_USER and TANHUAN_UPSTREAM_PASSWORD, because an argument would show in the
list of processes.
"""

from __future__ import annotations

import argparse
import os

from tanhuan.standin.server import DEFAULT_PORT, DEFAULT_SEED, serve


def main() -> None:
    """Read the arguments and serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tanhuan.standin", description="serve the invented city")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free port")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="another seed, another city")
    arguments = parser.parse_args()
    password = os.environ.get("TANHUAN_UPSTREAM_PASSWORD", "")
    if not password:
        parser.error("set TANHUAN_UPSTREAM_PASSWORD (and TANHUAN_UPSTREAM_USER) first")
    user = os.environ.get("TANHUAN_UPSTREAM_USER", "tanhuan")
    serve(arguments.host, arguments.port, user, password, arguments.seed)


if __name__ == "__main__":
    main()
