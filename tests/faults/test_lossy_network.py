"""Between router and schedd packets are lost: connections are late, cut, half closed, or swallow what is sent.

GLIDEROUTE_LOSSY_SEEDS says which faults come (first:end) in the long version.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from breakable import Breakable, children
from lossy_proxy import LossyProxy
from organisation import until

pytestmark = [pytest.mark.pool, pytest.mark.timeout(600)]

FIRST, END = map(int, os.environ.get("GLIDEROUTE_LOSSY_SEEDS", "100:110").split(":"))


@dataclass(frozen=True)
class Way:
    """The bad network between the router and the schedd, and what has the router take it."""

    proxy: LossyProxy
    file: Path
    """What the router remembers of where the schedd is."""
    known: dict[str, str]
    router: subprocess.Popen[bytes]

    def take_again(self) -> None:
        """A router that could not reach the schedd has asked the collector, and goes straight there since."""
        if json.loads(self.file.read_text())["MyAddress"] != self.known["MyAddress"]:
            write(self.file, self.known)
            for child in children(self.router.pid):
                os.kill(child, signal.SIGKILL)


@contextmanager
def lossy(pool: Breakable, seed: int) -> Iterator[Way]:
    """A router whose connections to the schedd go through a bad network, for the length of the block."""
    file = pool.organisation.home / "run" / "schedd.json"
    if not file.exists():
        pool.once()
    known = json.loads(file.read_text())
    found = re.match(r"<127\.0\.0\.1:(\d+)\?", known["MyAddress"])
    assert found, known
    with LossyProxy(int(found[1]), seed) as proxy:
        there = re.sub(rf"([:-]){found[1]}\b", rf"\g<1>{proxy.port}", known["MyAddress"])
        write(file, {**known, "MyAddress": there})
        router = pool.router()
        try:
            yield Way(proxy, file, {**known, "MyAddress": there}, router)
        finally:
            sys.stdout.write(f"seed {seed}: {proxy.met}\n")
            write(file, known)
    assert router.poll() is None


def write(file: Path, known: dict[str, str]) -> None:
    new = file.with_suffix(".new")
    new.write_text(json.dumps(known))
    new.replace(file)


def stormy(pool: Breakable, seed: int, least: int) -> None:
    """Jobs come while so many connections go badly; then all must be well."""
    clusters: list[int] = []
    with lossy(pool, seed) as way:
        while way.proxy.bad < least:
            way.take_again()
            clusters += pool.submit(1)
            until(partial(pool.placed, clusters), 60)
    pool.heals(clusters)


def test_a_network_that_loses_delays_and_cuts_loses_and_repeats_nothing(pool: Breakable) -> None:
    stormy(pool, 4, least=8)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(FIRST, END))
def test_whatever_a_network_does_nothing_is_lost_or_repeated(pool: Breakable, seed: int) -> None:
    stormy(pool, seed, least=40)
