"""Brokerage's filters and HTCondor's own matchmaking say yes and no to the same jobs at the same sites.

A job goes the product's way: from the payload to the submit description to the queue's attributes, and back to the
shape that brokerage sees. So does a site: from its entry, or from the glidein's slot. Both ads are then matched.
"""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matching import HAS_IMAGE, NAMES, WITHIN_LIMITS, Pair, ad, job_ad, job_row, platform_row, slot_ad, slot_row, start

from examples import examples
from router.decide.filters import ALLOWED, BLOCKED, CPUS, DISK, MEMORY, WALLTIME, first_refusal
from router.decide.node_filters import ARCH, CONTAINER, GPU_KIND, GPUS, SOFTWARE, SYSTEM
from router.decide.reconcile import shape_of
from router.loops.observe import Declared, assemble
from router.model.node import Gpus, Platform
from router.model.pilot import MARGIN_S, Entry, Software
from router.model.site import Site
from router.model.task import Shape
from router.pool import ads
from router.testing.build import a_shape, an_entry

ASKED = (ALLOWED, BLOCKED, CPUS, MEMORY, DISK, WALLTIME, GPUS, GPU_KIND, ARCH, SYSTEM, SOFTWARE, CONTAINER)
"""The reasons that HTCondor checks as well."""

ARCHES = ("x86_64", "x86_64-v2", "x86_64-v3", "aarch64")
SYSTEMS = ("el8", "el9", "debian9")
TAGS = ("root-6.30", "root-6.3", "/cvmfs/a.b.ch")


def a_pair(name: str = "SITE_A", *, spare_kb: int = 0, **wishes: object) -> Pair:
    """Wishes that the entry meets at its limits but for what is changed."""
    entry = an_entry(
        site=name,
        **{"cpus": 8, "memory_mb": 16_000, "disk_mb": 20_000, "walltime_s": 36_300},
        gpus=Gpus(2, 16_000, 7.5),
        arch="x86_64-v2",
        os="el9",
        software=Software(tags=TAGS),
    )
    limits = {"cpus": 8, "memory_mb": 16_000, "disk_mb": 20_000, "walltime_s": 36_000}
    return Pair(a_shape(**{**limits, **wishes}), entry, spare_kb)


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
    entry, platform = draw(entries_of(entry)), {}
    limits = {"cpus": entry.cpus, "memory_mb": entry.memory_mb, "disk_mb": entry.disk_mb, "walltime_s": life // 60 * 60}
    if entry.arch == "aarch64":
        platform = {"platform": Platform(arch="aarch64")}  # else condor_submit asks for its own architecture
    lists = st.sets(st.sampled_from(NAMES)).map(lambda names: tuple(sorted(names)))
    off = {
        "nothing": st.just({}),
        "lists": st.fixed_dictionaries({"allow": lists, "block": lists}),
        "cpus": st.fixed_dictionaries({"cpus": st.integers(1, entry.cpus + 1)}),
        "memory": st.fixed_dictionaries({"memory_mb": st.integers(-1, 1).map(lambda more: entry.memory_mb + more)}),
        "disk": st.fixed_dictionaries({"disk_mb": st.integers(-1, 1).map(lambda more: entry.disk_mb + more)}),
        "walltime": st.fixed_dictionaries({"walltime_s": st.integers(-61, 61).map(lambda more: life + more)}),
        "gpus": st.fixed_dictionaries({"gpus": gpu_wishes(entry.gpus)}),
        "platform": st.fixed_dictionaries({"platform": platform_wishes(entry.platform)}),
    }
    wishes = draw(off[draw(st.sampled_from(sorted(off)))])
    return Pair(a_shape(**{**limits, **platform, **wishes}), entry, draw(st.integers(0, 1023)))


@st.composite
def entries_of(draw: st.DrawFn, entry: Entry) -> Entry:
    """An entry with GPUs, an architecture, a system and software of its own."""
    gpus = Gpus(draw(st.integers(1, 4)), draw(st.integers(1, 80_000)), draw(st.sampled_from([6.1, 7.5, 8.0, 10.0])))
    return replace(
        entry,
        gpus=draw(st.sampled_from([Gpus(), gpus])),
        arch=draw(st.sampled_from(ARCHES)),
        os=draw(st.sampled_from(SYSTEMS)),
        software=Software(tags=tuple(sorted(draw(st.sets(st.sampled_from(TAGS)))))),
    )


def gpu_wishes(has: Gpus) -> st.SearchStrategy[Gpus]:
    """As many GPUs as there are, or one more or less; as good as they are, or a little better."""
    return st.builds(
        lambda more, memory, capability: Gpus(has.count + more, memory, capability) if has.count + more else Gpus(),
        st.integers(-1 if has.count else 0, 1),
        st.sampled_from([0, has.memory_mb, has.memory_mb + 1]),
        st.sampled_from([0.0, has.capability, has.capability + 0.5]),
    )


def platform_wishes(has: Platform) -> st.SearchStrategy[Platform]:
    """An architecture, a system and software that are there, or others."""
    return st.builds(
        Platform,
        arch=st.sampled_from([*ARCHES, "any"]),
        os=st.sampled_from(["", has.os, *SYSTEMS]),
        software=st.sets(st.sampled_from([*has.software, *TAGS]), max_size=2).map(lambda tags: tuple(sorted(tags))),
    )


@given(pairs())
@settings(max_examples=examples(60))
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
        (a_pair(gpus=Gpus(2, 16_000, 7.5)), None),
        (a_pair(gpus=Gpus(3)), "gpus"),
        (a_pair(gpus=Gpus(1, 16_001)), "gpu-kind"),
        (a_pair(gpus=Gpus(1, 0, 8.0)), "gpu-kind"),
        (a_pair(platform=Platform("x86_64-v2", "el9", TAGS)), None),
        (a_pair(platform=Platform("any")), None),
        (a_pair(platform=Platform("x86_64-v3")), "architecture"),
        (a_pair(platform=Platform("aarch64")), "architecture"),
        (a_pair(platform=Platform(os="el8")), "os"),
        (a_pair(platform=Platform(software=("root-6",))), "software"),
        (a_pair(platform=Platform(images=("docker",))), "container"),
    ],
)
def test_both_say_why_at_each_limit(pair, tag):
    site, _ = sites_of(pair)
    refusal = first_refusal(pair.shape, site, ASKED)
    assert (refusal.tag if refusal else None, matched(pair)) == (tag, tag is None)


@pytest.mark.parametrize("wanted", sorted(HAS_IMAGE))
@pytest.mark.parametrize("images", [(), ("docker",), ("directory", "sif")])
def test_a_container_goes_where_its_kind_of_image_can_be_run(wanted, images):
    pair = a_pair(platform=Platform(arch="x86_64", images=(wanted,)))
    row = slot_row(pair) | platform_row(replace(pair.entry.platform, images=images))
    (seen,) = assemble([Declared("SITE_A", (pair.entry,))], (), ads.slot_groups([row]), {}, {}, ())
    slot = ad(row, Start=start(), Requirements=f"Start && ({WITHIN_LIMITS})")
    for shape in shapes_of(pair):
        assert (first_refusal(shape, seen, ASKED) is None) == job_ad(shape).symmetricMatch(slot) == (wanted in images)


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
