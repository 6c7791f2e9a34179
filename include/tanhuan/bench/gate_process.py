"""One landed load through gate 1 in a process of its own, so that its memory is nobody else's.

Run as `python -m tanhuan.bench.gate_process LOAD`, LOAD being a load as JSON; settings come from the environment. It
prints what became of the load, as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

_KIB = 1024


def main() -> None:
    """Import what a worker has imported already, then admit the load."""
    started = time.monotonic()
    import tanhuan.gates.engine  # noqa: F401 - imported for the time it takes
    from tanhuan.admit import admit_load
    from tanhuan.landing import Load
    from tanhuan.settings import get_settings

    imported = round(time.monotonic() - started, 3)
    outcome = admit_load(Load(**json.loads(sys.argv[1])), get_settings())
    found = {c.id: int(c.observed or 0) if c.failed_rows is None else c.failed_rows for c in outcome.checks}
    told = {"state": outcome.state, "reason": outcome.reason, "seconds": outcome.seconds, "found": found}
    rows = {"received": outcome.received, "admitted": outcome.admitted, "quarantined": outcome.quarantined}
    print(json.dumps(told | rows | {"import_s": imported, "peak_mib": _read_peak_mib()}))  # noqa: T201 - the answer


def _read_peak_mib() -> int:
    """Return the most memory that this process ever held."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) // _KIB
    # Where there is no /proc. On Linux this would count the process that started this one, too.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // _KIB


if __name__ == "__main__":
    main()
