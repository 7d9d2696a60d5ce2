"""The nodes of all sites fail validation at once: not all are closed, nothing is moved, and it heals by itself."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from breakable import Breakable
from organisation import until

pytestmark = [pytest.mark.pool, pytest.mark.slow, pytest.mark.timeout(300)]

BROKEN = {"ROUTER_MIN_MEMORY_MB": "999999999", "GLIDEIN_Failure_Sleep": "1"}
"""A check that no node passes, as a wrong release of it might."""
ANYWHERE = "executable = /bin/true\nrequest_memory = 100\nrequest_disk = 1M\nshould_transfer_files = YES\n"
ANYWHERE += "transfer_executable = false\n"


@contextmanager
def attributes(pool: Breakable, given: dict[str, str]) -> Iterator[None]:
    """The attributes of all entries, for the length of the block."""
    file = pool.organisation.home / "glideroute.yaml"
    before = file.read_text()
    values: dict[str, Any] = json.loads(before)
    for site in values["sites"].values():
        for entry in site["entries"].values():
            entry |= {"attributes": given, "memory": "500 MB", "disk": "100 MB", "max_glideins": 1}
    values["factory"] = {"interval": "1 s"}
    file.write_text(json.dumps(values))
    try:
        yield
    finally:
        file.write_text(before)


def refusing(pool: Breakable) -> float:
    """How many sites are known to refuse their nodes."""
    sites = ("SITE_A", "SITE_B")
    return sum(pool.metric(f'glideroute_site_excluded{{reason="validation",site="{site}"}}') for site in sites)


def test_where_all_nodes_fail_validation_jobs_keep_their_sites_and_new_ones_get_some(pool: Breakable) -> None:
    alice = pool.organisation.live.queue("alice")
    with attributes(pool, BROKEN):
        pool.router()
        with pool.factory():
            before = [alice.submit(ANYWHERE, [{}]) for _ in range(2)]
            until(lambda: pool.placed(before))
            until(lambda: refusing(pool) == 2, 90)
            assert pool.metric("glideroute_sites_spared") == 2
            new = alice.submit(ANYWHERE, [{}])
            until(lambda: pool.placed([new]))
            assert {group.decision.moves for group in pool.groups(before) if group.decision} == {0}
    with attributes(pool, {}), pool.factory():
        until(lambda: pool.groups() == [], 60)
    until(lambda: not pool.open())
    assert pool.wrong_in_log() == []
