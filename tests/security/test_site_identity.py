"""A glidein's token is of one site: nobody brings another's slots with it, to collector, schedd or router."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import classad2
import htcondor2  # noqa: F401 - registers HTCondor's own functions for classad2
import pytest
from pool_backend import LivePool

from router.embedded.state import load
from router.model.pilot import Entry
from router.pilots import condor
from router.pool import ads
from router.resources import folder

GUARD = "START_VANILLA_UNIVERSE"


def advertise(live: LivePool, path: Path, name: str, token: str, *lines: str, kind: str = "STARTD") -> None:
    """Send the collector an ad, with the token of a site's glideins."""
    path.write_text("\n".join([f'Name = "{name}"', 'MyAddress = "<127.0.0.1:9>"', "ClassAdLifetime = 20", *lines, ""]))
    environment = {**os.environ, **live.pool.env(f"glidein-{token}")}
    command = ["condor_advertise", "-tcp", f"UPDATE_{kind}_AD", str(path)]
    subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)


def known(live: LivePool) -> set[str]:
    """The names of all ads of the collector."""
    command = ["condor_status", "-any", "-af", "Name"]
    environment = {**os.environ, **live.pool.env("admin")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


@pytest.fixture
def domain(live_pool: LivePool) -> Iterator[str]:
    state = load(live_pool.pool.home)
    assert state
    yield state.domain


@pytest.mark.pool
@pytest.mark.attack("A50")
def test_with_a_sites_token_nothing_is_advertised_but_that_sites(
    live_pool: LivePool, domain: str, tmp_path: Path
) -> None:
    def send(name: str, *lines: str, site: str = "X_NORTH", kind: str = "STARTD") -> None:
        advertise(live_pool, tmp_path / name, name, site, *lines, kind=kind)

    machine, north, south = 'MyType = "Machine"', 'GLIDEIN_Site = "X_NORTH"', 'GLIDEIN_Site = "X_SOUTH"'
    send("x-own", machine, north)
    send("x-own-master", 'MyType = "DaemonMaster"', north, kind="MASTER")
    send("x-other", machine, south)
    send("x-other-master", 'MyType = "DaemonMaster"', south, kind="MASTER")
    send("x-says-so", machine, south, f'AuthenticatedIdentity = "glidein-X_SOUTH@{domain}"')
    send("x-daemon", machine, south, f'AuthenticatedIdentity = "condor@{domain}"')
    send("x-other-type", 'MyType = "Something"', south)
    send("x-no-type", south)
    send("x-no-site", machine)
    send("x-case", machine, 'GLIDEIN_Site = "x_north"')
    send("x-list", machine, 'GLIDEIN_Site = "X_NORTH,X_SOUTH"')
    send("x-expression", machine, 'GLIDEIN_Site = ifThenElse(MyType == "Machine", "X_SOUTH", "X_NORTH")')
    send("x-prefix", machine, north, site="X_NORTH_2")
    assert {name for name in known(live_pool) if name.startswith("x-")} == {"x-own", "x-own-master"}


def guard() -> classad2.ExprTree:
    """What the schedd asks of every match, from the fragment we ship."""
    text = (folder("schedd_config") / "20-routing.config").read_text().replace("\\\n", " ")
    [found] = re.findall(rf"^{GUARD} = (.*)$", text, re.MULTILINE)
    return classad2.ExprTree(found)


@pytest.mark.attack("A50")
@pytest.mark.parametrize(
    ("slot", "starts"),
    [
        ('[ GLIDEIN_Site = "NORTH"; AuthenticatedIdentity = "glidein-NORTH@pool" ]', True),
        ('[ GLIDEIN_Site = "SOUTH"; AuthenticatedIdentity = "glidein-SOUTH@pool" ]', False),
        ('[ GLIDEIN_Site = "NORTH"; AuthenticatedIdentity = "glidein-SOUTH@pool" ]', False),
        # The site that the collector saw, and after it the one that a job is to see.
        (
            '[ GLIDEIN_Site = ifThenElse(time() > 0, "NORTH", "SOUTH"); AuthenticatedIdentity = "glidein-SOUTH@p" ]',
            False,
        ),
        ('[ GLIDEIN_Site = "NORTH"; AuthenticatedIdentity = "glidein-" ]', False),
        # A pool whose glideins come with a token that is of no site, or by a factory that gives them none.
        ('[ GLIDEIN_Site = "NORTH"; AuthenticatedIdentity = "frontend@pool" ]', True),
        ('[ GLIDEIN_Site = "NORTH" ]', True),
        # The schedd asks once without a slot, before a job is offered at all.
        ("[ ]", True),
    ],
)
def test_a_slot_that_names_one_site_to_the_collector_and_another_to_a_job_gets_none(slot: str, starts: bool) -> None:
    [match] = classad2.parseAds(f'[ JOB = [ DESIRED_Sites = "EAST,NORTH" ]; SLOT = {slot} ]')
    assert (guard().eval(match) is True) is starts


@pytest.mark.attack("A50")
@pytest.mark.parametrize(
    ("identity", "site"),
    [
        ("glidein-NORTH@pool", "NORTH"),
        ("glidein-SOUTH@pool", ""),
        ("glidein@pool", "NORTH"),
        ("", "NORTH"),
        (3, "NORTH"),
    ],
)
def test_the_router_counts_no_slot_that_came_with_the_token_of_another_site(identity: object, site: str) -> None:
    row = {"GLIDEIN_Site": "NORTH", "AuthenticatedIdentity": identity, "TotalSlotCpus": 8, "Cpus": 8}
    assert [group.site for group in ads.slot_groups([row])] == ([site] if site else [])
    assert ads.validation_failure(row).site == site


@pytest.mark.attack("A50")
def test_a_glidein_of_another_site_does_not_count_as_one_of_an_entry() -> None:
    class Machines:
        def query(self, constraint: str, attributes: object) -> list[dict[str, object]]:
            return [{"GLIDEIN_Entry_Name": "north", "JobStatus": 2, "ClusterId": 7, "ProcId": 0}]

        def ads(self, kind: str, constraint: str, attributes: object) -> list[dict[str, object]]:
            job = {"GLIDEIN_ClusterId": 7, "GLIDEIN_ProcId": 0}
            return [{"GLIDEIN_Entry_Name": "north", "GLIDEIN_Site": "SOUTH", **job}]

    factory = condor.CondorFactory(Machines(), None)  # type: ignore[arg-type]
    [state] = factory.states([Entry("north", "NORTH")])
    assert {str(kind): count for kind, count in state.counts if count} == {"starting": 1}
