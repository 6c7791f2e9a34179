"""Chance that is the same everywhere and for ever: uniform numbers from the MD5 of a text key.

Belongs here: draws for the register. The hourly generator does the same in SQL with md5_number_lower; neither uses a
language's own hash or random state, because those differ between versions and depend on what was asked before.
"""

from __future__ import annotations

import datetime as dt
import hashlib

_BITS = 53  # as many as a double holds exactly


def digest(seed: int, *key: object) -> str:
    """Return 32 hexadecimal digits, in upper case, that depend on nothing but the seed and the key."""
    text = "|".join(str(part) for part in (seed, *key))
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()


def uniform(seed: int, *key: object) -> float:
    """Return a number in [0, 1)."""
    return (int(digest(seed, *key), 16) >> (128 - _BITS)) / 2**_BITS


def between(low: float, high: float, seed: int, *key: object) -> float:
    """Return a number in [low, high)."""
    return low + (high - low) * uniform(seed, *key)


def day_between(first: dt.date, last: dt.date, seed: int, *key: object) -> dt.date:
    """Return a day from `first` to `last`, both included."""
    return first + dt.timedelta(days=int(uniform(seed, *key) * ((last - first).days + 1)))
