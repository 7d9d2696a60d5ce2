"""What jobs tell of the copies of their inputs, and where it is remembered."""

from collections.abc import Collection, Sequence
from typing import Protocol

from router.model.fetch import Fetch, Fetches, Served


class FetchSource(Protocol):
    """The schedd's history of tries at copies."""

    def tries(self, after: int, upto: int) -> Fetches:
        """Those after a time and up to another, in whole seconds since the epoch. Raises TemporaryError."""
        ...

    def close(self) -> None:
        """Give the connection back; the next read opens another."""
        ...


class FetchMemory(Protocol):
    """What is remembered of tries at copies."""

    def fetches_read(self) -> int:
        """Up to when the tries were read, in whole seconds since the epoch; 0: never."""
        ...

    def record_fetches(self, tries: Sequence[Fetch], elements: Collection[str], read: int) -> None:
        """Add up tries at declared storage elements, keep those that failed, and remember up to when they were read.

        All of it happens, or nothing.
        """
        ...

    def served(self, since: float) -> Sequence[Served]:
        """How storage elements served each owner's jobs after `since`."""
        ...


class FailedFetches(Protocol):
    """What explains jobs."""

    def failed_fetches(self, cluster: int) -> Sequence[Fetch]:
        """The remembered tries of a cluster's jobs that failed, newest first."""
        ...
