"""What can go wrong in a night, as sentences that name the feed, the table and the next step.

Belongs here: one class per kind of failure that a caller treats differently. Whether trying again may help is a
property of the class, so that no DAG has to read messages.
"""

from __future__ import annotations


class TanhuanError(Exception):
    """A failure with a sentence for a person; `next_step` says what to do about it."""

    #: whether the same call may succeed a little later
    retryable = False

    def __init__(self, what: str, next_step: str) -> None:
        super().__init__(f"{what} Next step: {next_step}")
        self.what = what
        self.next_step = next_step


class UpstreamDown(TanhuanError):
    """An upstream did not answer, or answered with a fault of its own (429, 5xx, a cut body)."""

    retryable = True


class ShortAnswer(TanhuanError):
    """An upstream sent fewer or more rows than it states: a short answer is a failure, not a small night."""

    retryable = True


class UpstreamRefused(TanhuanError):
    """An upstream refused the request (401, 403, 404): trying again does not help."""


class TokenExpired(UpstreamRefused):
    """The token, or the account behind it, no longer holds (401)."""


class BatchRefused(TanhuanError):
    """Gate 1 kept a whole batch out of the lake."""


class FeedIncomplete(TanhuanError):
    """Some tables of a feed did not land; the others have been admitted."""


class BuildFailed(TanhuanError):
    """dbt could not build the models."""


class PublicationRefused(TanhuanError):
    """Gate 2 kept a version from being published."""
