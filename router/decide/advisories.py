"""Weaknesses of HTCondor that were published, and the versions that have them."""

import re
from dataclasses import dataclass

Version = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Advisory:
    """A weakness, by the first version of each series without it."""

    name: str
    harm: str
    fixed: tuple[Version, ...]

    @property
    def address(self) -> str:
        """Where it is described."""
        return f"https://htcondor.org/security/vulnerabilities/{self.name}"


# Versions as EGI's advisories SVG-2025-05, SVG-2025-25 and SVG-2026-32 and HTCondor's release notes have them; the
# first says 24.6.0, but 24.6.1 is the first of its series that is distributed.
ADVISORIES = (
    Advisory(
        "HTCONDOR-2025-0001",
        "a token does more than its limits allow (CVE-2025-30093)",
        ((23, 0, 22), (23, 10, 22), (24, 0, 6), (24, 6, 1)),
    ),
    Advisory(
        "HTCONDOR-2025-0002",
        "a crafted job runs as any other user but root, once the access point was upgraded to such a version",
        ((24, 12, 14), (25, 0, 3), (25, 3, 1)),
    ),
    Advisory(
        "HTCONDOR-2026-0001",
        "whoever may write and authenticate by FS becomes condor, edits any job and makes tokens",
        ((24, 0, 22), (24, 12, 22), (25, 0, 12), (25, 11, 1)),
    ),
    Advisory("HTCONDOR-2026-0002", "the advisory has the details", ((25, 13, 3),)),
)
SUPPORTED = 25
"""Older major versions get no fixes any more."""


def version(text: str) -> Version | None:
    """The version in what HTCondor says of itself; None where it says none."""
    found = re.search(r"\b(\d+)\.(\d+)\.(\d+)\b", text)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def known(found: Version) -> tuple[Advisory, ...]:
    """The advisories that a version is open to."""
    return tuple(each for each in ADVISORIES if _open(found, each.fixed))


def _open(found: Version, fixed: tuple[Version, ...]) -> bool:
    """Whether a version lacks the fix: by its own series, and where that never had one, by its age."""
    own = [each for each in fixed if _series(each) == _series(found)]
    if own:
        return found < own[0]
    if found[0] < fixed[0][0]:
        return True
    # The feature series of a major version that only its long-term series was mended in, and later ones.
    return found[1] > 0 and found < fixed[-1] and found[0] < fixed[-1][0]


def _series(found: Version) -> tuple[int, bool]:
    return found[0], found[1] == 0
