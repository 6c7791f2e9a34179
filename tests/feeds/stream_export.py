"""Fetches one export from the server named on the command line and prints its bytes, hash and what memory it took."""

from __future__ import annotations

import datetime as dt
import resource
import sys
from pathlib import Path

from pydantic import SecretStr

from tanhuan.contracts import get_contract
from tanhuan.feeds.upstream import Upstream
from tanhuan.settings import Settings


def main() -> None:
    url, target = sys.argv[1:]
    settings = Settings(upstream_url=url, upstream_password=SecretStr("x"), _env_file=None)  # type: ignore[call-arg]
    day = dt.date(2025, 12, 31)
    with Upstream(settings) as upstream:
        # What the first answer takes once (connections, a token) is not growth.
        list(upstream.fetch_pages(get_contract("permit"), day, day))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with Path(target).open("wb") as sink:
            export = upstream.fetch_export(get_contract("source_hour"), day, day, "ndjson", sink)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    sys.stdout.write(f"{export.bytes} {export.sha256} {grown * 1024}\n")


if __name__ == "__main__":
    main()
