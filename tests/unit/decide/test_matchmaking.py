"""Brokerage's filters and HTCondor's own matchmaking say yes and no to the same jobs at the same sites.

A job goes the product's way: from the payload to the submit description to the queue's attributes, and back to the
shape that brokerage sees. So does a site: from its entry, or from the glidein's slot. Both ads are then matched.
The glidein is one slot of an entry, as old as the margin of the filters allows it to be when its first job comes.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import classad2
import htcondor2  # registers stringListIMember with classad2, without which every match fails
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router import resources
from router.decide.filters import ALLOWED, BLOCKED, CPUS, DISK, MEMORY, WALLTIME, first_refusal
from router.decide.reconcile import shape_of
from router.loops.observe import Declared, assemble
from router.model.pilot import MARGIN_S, Entry
from router.model.site import Site
from router.model.task import Shape
from router.pool import ads
from router.render.jdl import batch_injection
from router.testing.build import a_batch, a_payload, a_shape, a_site, a_task, an_entry

ASKED = (ALLOWED, BLOCKED, CPUS, MEMORY, DISK, WALLTIME)
"""The reasons that HTCondor checks as well."""

NAMES = ("SITE_A", "SITE_AB", "SITE_B")
NOW = 1_800_000_000

SUBMITTED = (
    '(TARGET.Arch == "X86_64") && (TARGET.OpSys == "LINUX") && '
    '(versionGE(split(TARGET.CondorVersion)[1],"25.12.0") || (TARGET.Disk >= RequestDisk)) && '
    "(TARGET.Memory >= RequestMemory) && (TARGET.HasFileTransfer)"
)
"""What condor_submit 25.14 makes of a description without `requirements`."""

WITHIN_LIMITS = (
    "MY.Cpus > 0 && TARGET.RequestCpus <= MY.Cpus && MY.Memory > 0 && TARGET.RequestMemory <= MY.Memory && "
    "MY.Disk > 0 && TARGET.RequestDisk <= MY.Disk"
)
"""What condor_startd adds to START for a partitionable slot (WithinResourceLimits)."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A payload's wishes and the one entry of a site."""

    shape: Shape
    entry: Entry
    spare_kb: int = 0
    """How much more disk than the entry promises the glidein's slot has: less than one MB."""


def a_pair(name: str = "SITE_A", *, spare_kb: int = 0, **wishes: object) -> Pair:
    """Wishes that the entry meets at its limits but for what is changed."""
    entry = an_entry(site=name, cpus=8, memory_mb=16_000, disk_mb=20_000, walltime_s=36_300)
    limits = {"cpus": 8, "memory_mb": 16_000, "disk_mb": 20_000, "walltime_s": 36_000}
    return Pair(a_shape(**{**limits, **wishes}), entry, spare_kb)


@cache
def configured(name: str) -> dict[str, str]:
    """The settings of a shipped file: those of HTCondor's language that fit on logical lines."""
    text = Path(resources.folder("glidein_scripts"), name).read_text().replace("\\\n", "")
    return dict(re.findall(r"^(\w+) *= *(.*)$", text, re.MULTILINE))


@cache
def start() -> str:
    """START as the glidein has it, with the clock stopped."""
    known = {**configured("startd.config"), "GLIDEIN_Start": "True", "GLIDEIN_Custom_Start": "True"}
    text = known["START"]
    while "$(" in text:
        text = re.sub(r"\$\((\w+)\)", lambda found: known[found.group(1)], text)
    assert "time()" in text
    return text.replace("time()", str(NOW))


@cache
def routed_requirements() -> str:
    """A job's Requirements after the schedd's transform."""
    text = Path(resources.folder("schedd_config"), "20-routing.config").read_text()
    (condition,) = re.findall(r"^ *SET Requirements (.*)$", text, re.MULTILINE)
    assert condition.endswith("($(MY.Requirements))")
    return condition.replace("$(MY.Requirements)", SUBMITTED)


def slot_row(pair: Pair) -> dict[str, object]:
    """What the glidein of the entry publishes; its life is that of glidein_config.bash's write_lifetime."""
    entry = pair.entry
    die = NOW + entry.walltime_s - MARGIN_S
    disk_kb = entry.disk_mb * 1024 + pair.spare_kb
    return {
        "Cpus": entry.cpus,
        "Memory": entry.memory_mb,
        "Disk": disk_kb,
        "TotalSlotCpus": entry.cpus,
        "TotalSlotMemory": entry.memory_mb,
        "TotalSlotDisk": disk_kb,
        "SlotType": "Partitionable",
        "NumDynamicSlots": 0,
        "MyCurrentTime": NOW,
        "Arch": "X86_64",
        "OpSys": "LINUX",
        "HasFileTransfer": True,
        "CondorVersion": "$CondorVersion: 25.14.1 2026-01-01 $",
        "GLIDEIN_Site": entry.site,
        "GLIDEIN_Entry_Name": entry.name,
        "GLIDEIN_ToDie": die,
        "GLIDEIN_ToRetire": die - min(600, entry.walltime_s // 4),
    }


def ad(values: dict[str, object], **expressions: str) -> classad2.ClassAd:
    """An ad of values and of expressions."""
    made = classad2.ClassAd(values)
    for name, text in expressions.items():
        made[name] = classad2.ExprTree(text)
    return made


def slot_ad(pair: Pair) -> classad2.ClassAd:
    return ad(slot_row(pair), Start=start(), Requirements=f"Start && ({WITHIN_LIMITS})")


def job_row(shape: Shape) -> dict[str, object]:
    """The attributes that condor_submit gives the payload's jobs."""
    payload = a_payload(requests=shape.requests, allow=shape.allow, block=shape.block)
    found = htcondor2.Submit(batch_injection(a_task(payload=payload), a_batch()).text)
    disk = found.expand("request_disk")
    assert disk.endswith("M")  # condor_submit counts disk in kB
    return {
        "ClusterId": 1,
        "JobStatus": 1,
        "JobCount": 1,
        "RequestCpus": int(found.expand("request_cpus")),
        "RequestMemory": int(found.expand("request_memory")),
        "RequestDisk": int(disk.removesuffix("M")) * 1024,
        "MaxWallTimeMins": int(found.expand("My.MaxWallTimeMins")),
        "RouterAllowSites": classad2.ExprTree(found.expand("My.RouterAllowSites")).eval(),
        "RouterBlockSites": classad2.ExprTree(found.expand("My.RouterBlockSites")).eval(),
    }


def job_ad(shape: Shape) -> classad2.ClassAd:
    """A job that the router has placed wherever the payload's lists let it."""
    placed = tuple(name for name in NAMES if first_refusal(shape, a_site(name), (ALLOWED, BLOCKED)) is None)
    return ad(job_row(shape), DESIRED_Sites=ads.site_list(placed), Requirements=routed_requirements())


def matched(pair: Pair) -> bool:
    """HTCondor's verdict."""
    verdict: bool = job_ad(pair.shape).symmetricMatch(slot_ad(pair))
    return verdict


def sites_of(pair: Pair) -> tuple[Site, Site]:
    """The site as its entry declares it, and as brokerage sees it once the glidein is there."""
    declared = [Declared(pair.entry.site, (pair.entry,))]
    (promised,) = assemble(declared, (), (), {}, {}, ())
    (seen,) = assemble(declared, (), ads.slot_groups([slot_row(pair)]), {}, {}, ())
    return promised, seen


def shapes_of(pair: Pair) -> tuple[Shape, Shape]:
    """What is asked before the task is submitted, and what the router reads in the queue."""
    return pair.shape, shape_of(ads.job_group(job_row(pair.shape)), {})


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """A job at the limits of an entry in all but one respect, or in all; about as often let in as refused."""
    entry = an_entry(
        site=draw(st.sampled_from(NAMES)),
        cpus=draw(st.sampled_from([1, 8, 64])),
        memory_mb=draw(st.integers(2, 2_000_000)),
        disk_mb=draw(st.integers(2, 10_000_000)),
        walltime_s=draw(st.integers(600, 604_800)),
    )
    life = entry.walltime_s - MARGIN_S
    limits = {"cpus": entry.cpus, "memory_mb": entry.memory_mb, "disk_mb": entry.disk_mb, "walltime_s": life // 60 * 60}
    lists = st.sets(st.sampled_from(NAMES)).map(lambda names: tuple(sorted(names)))
    off = {
        "nothing": st.just({}),
        "lists": st.fixed_dictionaries({"allow": lists, "block": lists}),
        "cpus": st.fixed_dictionaries({"cpus": st.integers(1, entry.cpus + 1)}),
        "memory": st.fixed_dictionaries({"memory_mb": st.integers(-1, 1).map(lambda more: entry.memory_mb + more)}),
        "disk": st.fixed_dictionaries({"disk_mb": st.integers(-1, 1).map(lambda more: entry.disk_mb + more)}),
        "walltime": st.fixed_dictionaries({"walltime_s": st.integers(-61, 61).map(lambda more: life + more)}),
    }
    wishes = draw(off[draw(st.sampled_from(sorted(off)))])
    return Pair(a_shape(**{**limits, **wishes}), entry, draw(st.integers(0, 1023)))


@given(pairs())
@settings(max_examples=200)
def test_a_filter_refuses_exactly_what_htcondor_would_not_match(pair):
    told = {first_refusal(shape, site, ASKED) is None for shape in shapes_of(pair) for site in sites_of(pair)}
    assert told == {matched(pair)}


@pytest.mark.parametrize(
    ("pair", "tag"),
    [
        (a_pair(), None),
        (a_pair(cpus=9), "cpus"),
        (a_pair(memory_mb=16_001), "memory"),
        (a_pair(disk_mb=20_001), "disk"),
        (a_pair(disk_mb=20_001, spare_kb=1023), "disk"),
        (a_pair(walltime_s=35_941), None),
        (a_pair(walltime_s=36_001), "walltime"),
        (a_pair(allow=("SITE_A",)), None),
        (a_pair(allow=("SITE_AB", "SITE_B")), "not-allowed"),
        (a_pair("SITE_AB", block=("SITE_A",)), None),
        (a_pair(block=("SITE_A",)), "blocked"),
    ],
)
def test_both_say_why_at_each_limit(pair, tag):
    site, _ = sites_of(pair)
    refusal = first_refusal(pair.shape, site, ASKED)
    assert (refusal.tag if refusal else None, matched(pair)) == (tag, tag is None)


def test_a_job_without_a_decision_matches_no_slot():
    job = job_ad(a_pair().shape)
    assert job.symmetricMatch(slot_ad(a_pair()))
    del job["DESIRED_Sites"]
    assert not job.symmetricMatch(slot_ad(a_pair()))


def test_a_minute_that_is_begun_is_asked_for_whole():
    pair = Pair(a_shape(walltime_s=36_030), an_entry(walltime_s=36_030 + MARGIN_S))
    refusals = [first_refusal(shape, site, (WALLTIME,)) for shape in shapes_of(pair) for site in sites_of(pair)]
    assert all(refusals)
    assert not matched(pair)
