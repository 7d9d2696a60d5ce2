"""Print the tables that docs/exit-codes.md and docs/failures.md hold, from the catalogue of causes."""

import sys
from collections.abc import Iterable, Mapping

from router.decide.causes import (
    CRASHED,
    EXIT_CODES,
    HOLD_CODES,
    HOLD_SUBCODES,
    OWN_POLICY,
    SIGNALS,
    UNKNOWN,
    VACATE_CODES,
)
from router.model.cause import Cause, Cure
from router.model.job import FAILED

CURES = {
    Cure.AGAIN: "runs it again at the same sites, after a delay",
    Cure.ELSEWHERE: "runs it at another site",
    Cure.MEMORY: "gives it more memory",
    Cure.WALLTIME: "gives it more time",
    Cure.NONE: "nothing",
    Cure.LEAVE: "leaves it alone",
}
HEAD = ("| code | cause | meaning | fault | glideroute | you |", "|---|---|---|---|---|---|")


def tables() -> Mapping[str, list[str]]:
    """The lines of each table, by what it is about."""
    holds: dict[str, Cause] = {str(code): cause for code, cause in HOLD_CODES.items()}
    holds |= {f"{code}, subcode {subcode}": cause for (code, subcode), cause in HOLD_SUBCODES.items()}
    holds[str(FAILED)] = OWN_POLICY
    ordered = sorted(holds.items(), key=lambda each: [int(part) for part in each[0].split(", subcode ")])
    return {
        "exit codes": _table(_merged((str(code), cause) for code, cause in EXIT_CODES.items())),
        "signals": _table([*_merged((str(128 + n), cause) for n, cause in SIGNALS.items()), ("128 + other", CRASHED)]),
        "hold codes": _table([*_merged(ordered), ("other", UNKNOWN)]),
        "vacate codes": _vacated(),
    }


def _merged(rows: Iterable[tuple[str, Cause]]) -> list[tuple[str, Cause]]:
    """Neighbouring codes of one cause as one row: `28 to 31`."""
    found: list[tuple[str, str, Cause]] = []
    for code, cause in rows:
        if found and found[-1][2] == cause:
            found[-1] = (found[-1][0], code, cause)
        else:
            found.append((code, code, cause))
    return [(first if first == last else f"{first} to {last}", cause) for first, last, cause in found]


def _table(rows: Iterable[tuple[str, Cause]]) -> list[str]:
    return [*HEAD, *(_row(code, cause) for code, cause in rows)]


def _row(code: str, cause: Cause) -> str:
    does = CURES[cause.cure]
    if cause.cure not in (Cure.NONE, Cure.LEAVE):
        does += {1: ", once", 2: ", twice"}.get(cause.tries, "")
    fault = "" if cause.cure is Cure.LEAVE else cause.fault
    cells = (code, f"`{cause.tag}`", f"{cause.words}.", fault, does, cause.advice)
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def _vacated() -> list[str]:
    rows = _merged((str(code), cause) for code, cause in VACATE_CODES.items())
    lines = (f"| {code} | `{cause.tag}` | {cause.words}. | {cause.fault} |" for code, cause in rows)
    return ["| code | cause | meaning | by |", "|---|---|---|---|", *lines]


if __name__ == "__main__":
    for name, lines in tables().items():
        if len(sys.argv) < 2 or sys.argv[1] == name:
            print("\n".join(lines))  # noqa: T201 - it is what this program is for
