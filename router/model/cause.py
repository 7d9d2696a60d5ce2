"""Why jobs fail, whose fault that is, and what helps: values."""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """Who has to act so that it does not happen again."""

    USER = "user"
    SITE = "site"
    DATA = "data"
    SYSTEM = "system"
    """HTCondor, glideroute, or the network between."""


class Cure(StrEnum):
    """What is tried to let a failed job end well."""

    AGAIN = "again"
    """At the same sites, after a delay."""
    ELSEWHERE = "elsewhere"
    MEMORY = "more-memory"
    WALLTIME = "more-walltime"
    NONE = "give-up"
    """Another try would fail alike: a person must act."""
    LEAVE = "leave"
    """Not ours to touch: somebody holds it on purpose, or HTCondor runs it again by itself."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One way to fail."""

    tag: str
    """Stable, for counting."""
    words: str
    """What happened: a sentence without its point."""
    fault: Fault
    cure: Cure
    advice: str
    """What a person can do where the cure does not help: a sentence."""
    tries: int = 3
    """Retries that this cause is worth; the policy may allow fewer."""
