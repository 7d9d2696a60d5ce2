"""The pool's signing key is replaced while the pool runs: a new one beside the old, later without the old."""

import time
from collections.abc import Mapping
from pathlib import Path

from router.embedded.programs import call, complaint
from router.embedded.tokens import Tokens
from router.errors import TemporaryError

ASK_SECONDS = 10.0
ASK_EVERY_SECONDS = 0.1
FIRST = "admin"
"""Whose token tries the new key before anybody else's is signed with it."""


def rotate(tokens: Tokens, programs: Path, environment: Mapping[str, str], running: bool) -> tuple[str, ...]:
    """Sign all tokens with a new key, beside which those of before stay valid, and return whose they are.

    `environment` is the admin's. Raise TemporaryError where the daemons do not come to know the key; no token is
    changed then.
    """
    added = tokens.add_key()
    if running:
        before = tokens.text(FIRST)
        try:
            _introduce(tokens, programs, environment)
        except BaseException:
            tokens.restore(FIRST, before)
            added.unlink()
            raise
    return tokens.renew()


def _introduce(tokens: Tokens, programs: Path, environment: Mapping[str, str]) -> None:
    """Make the daemons read the names of their keys again, and wait until they take a token of the new one."""
    told = call([programs / "condor_reconfig"], environment, ASK_SECONDS)
    if told.returncode != 0:
        raise TemporaryError(f"The pool does not read its keys again: {complaint(told)}. Try again.")
    tokens.renew((FIRST,))
    end = time.monotonic() + ASK_SECONDS
    while why := _refusal(programs / "condor_ping", environment):
        if time.monotonic() > end:
            raise TemporaryError(f"The pool does not take tokens of a new key: {why}. It keeps the one it has.")
        time.sleep(ASK_EVERY_SECONDS)


def _refusal(ping: Path, environment: Mapping[str, str]) -> str:
    """Why one of the daemons that people speak to does not know us; empty when all do."""
    for daemon in ("COLLECTOR", "SCHEDD"):
        done = call([ping, "-type", daemon, "READ"], environment, ASK_SECONDS)
        if done.returncode != 0:
            return complaint(done)
    return ""
