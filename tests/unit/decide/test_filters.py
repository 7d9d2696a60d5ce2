"""Each reason not to use a site: when it holds, its words, its tag."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import shapes, some_sites

from router.decide.columns import shape_columns, site_columns
from router.decide.data_filters import LOST
from router.decide.filters import CROWDED, STATUS, ailing, filters, first_refusal, refused
from router.decide.health import OPINIONS, Ailment, Health, health
from router.decide.load_filters import DOWNTIME, SHARE, crowded_by_user, left, overloaded, slow
from router.model.action import Refusal
from router.model.node import Gpus, Platform
from router.model.policy import BrokerPolicy
from router.model.site import Access, Limits, SiteStatus, Storage
from router.model.task import Inputs
from router.testing.build import a_failure, a_shape, a_site
from router.testing.clock import NOON

POLICY = BrokerPolicy(failure_rate=0.3, failure_sample=10)


@pytest.mark.parametrize(
    ("shape", "site", "tag", "words"),
    [
        (a_shape(), a_site(status=SiteStatus.DRAINING), "site-draining", "is draining"),
        (a_shape(), a_site(status=SiteStatus.OFFLINE, status_reason="a fire"), "site-offline", "is offline: a fire"),
        (a_shape(allow=("SITE_B", "SITE_C")), a_site(), "not-allowed", "the payload allows only SITE_B, SITE_C"),
        (a_shape(block=("SITE_A",)), a_site(), "blocked", "the payload blocks it"),
        (a_shape(cpus=9), a_site(cpus=8), "cpus", "asks for 9 cores, glideins there have 8"),
        (
            a_shape(memory_mb=20_000),
            a_site(memory_mb=16_000),
            "memory",
            "asks for 20,000 MB of memory, glideins there have 16,000 MB",
        ),
        (a_shape(disk_mb=11), a_site(disk_mb=10), "disk", "asks for 11 MB of disk, glideins there have 10 MB"),
        (
            a_shape(walltime_s=7201),
            a_site(walltime_s=5400),
            "walltime",
            "asks for 2.0 h, glideins there live 1.5 h",
        ),
        (a_shape(gpus=Gpus(2)), a_site(), "gpus", "asks for 2 GPUs, glideins there have no GPU"),
        (
            a_shape(gpus=Gpus(1, 16_384, 8.0)),
            a_site(gpus=Gpus(4, 8192, 8.6)),
            "gpu-kind",
            "asks for 1 GPU of 16,384 MB and capability 8, glideins there have 4 GPUs of 8,192 MB and capability 8.6",
        ),
        (
            a_shape(platform=Platform("x86_64-v3")),
            a_site(platform=Platform("x86_64-v2")),
            "architecture",
            "asks for x86_64-v3, nodes there are x86_64-v2",
        ),
        (
            a_shape(platform=Platform(os="el9")),
            a_site(platform=Platform(os="unknown")),
            "os",
            "asks for el9, nodes there have unknown",
        ),
        (
            a_shape(platform=Platform(software=("root-6.30", "uproot"))),
            a_site(platform=Platform(software=("uproot",))),
            "software",
            "asks for software that no node there has all of: root-6.30",
        ),
        (a_shape(platform=Platform(images=("sif",))), a_site(), "container", "runs no containers of the kind sif"),
        (
            a_shape(),
            a_site(failure=a_failure(script="main/check_disk.sh", message="3 MB are free")),
            "validation",
            "its nodes fail main/check_disk.sh: 3 MB are free",
        ),
        (
            a_shape(),
            a_site(silent_s=4 * 3600.0),
            "no-glideins",
            "has shown no glidein for 4.0 h although jobs asked for them",
        ),
        (
            a_shape(),
            a_site(succeeded=6, failed=4),
            "failing",
            "failed 40% of its last 10 jobs, over the limit of 30%",
        ),
    ],
)
def test_a_site_is_refused_in_words_a_user_can_read(shape, site, tag, words):
    assert first_refusal(shape, site, filters(POLICY, {}, held_against(site))) == Refusal(tag, words)


@pytest.mark.parametrize(
    ("shape", "site"),
    [
        (a_shape(), a_site()),
        (a_shape(allow=("SITE_A", "SITE_B")), a_site()),
        (a_shape(block=("SITE_B",)), a_site()),
        (a_shape(cpus=8, memory_mb=16_384, disk_mb=102_400, walltime_s=86_400), a_site()),
        (a_shape(gpus=Gpus(2, 8192, 7.5)), a_site(gpus=Gpus(2, 8192, 7.5))),
        (a_shape(), a_site(gpus=Gpus(4, 8192, 7.5))),
        (a_shape(platform=Platform("x86_64-v2")), a_site(platform=Platform("x86_64-v3"))),
        (a_shape(platform=Platform("x86_64-v2", "el9")), a_site()),
        (a_shape(platform=Platform("any", "el9", ("b",))), a_site(platform=Platform("aarch64", "el9", ("a", "b")))),
        (a_shape(), a_site(succeeded=5, failed=4)),
        (a_shape(), a_site(succeeded=7, failed=3)),
        (a_shape(), a_site(waiting_jobs=10**6)),
        (a_shape(), a_site(silent_s=1800.0)),
    ],
)
def test_a_site_at_its_limits_is_not_refused(shape, site):
    assert first_refusal(shape, site, filters(POLICY)) is None


def test_the_first_reason_is_the_one_told():
    site = a_site(status=SiteStatus.OFFLINE, memory_mb=1, failure=a_failure())
    assert first_refusal(a_shape(block=("SITE_A",)), site, filters(POLICY)).tag == "site-offline"


def test_a_job_that_no_single_size_of_glidein_holds_is_refused():
    large, long = Limits(8, 16_000, 9000, 3600), Limits(1, 2000, 9000, 86_400)
    site = a_site(limits=Limits(8, 16_000, 9000, 86_400), offers=(large, long))
    wants_both = a_shape(cpus=8, memory_mb=2000, disk_mb=1, walltime_s=7200)
    assert first_refusal(wants_both, site, filters(POLICY)).tag == "no-size"
    for wants in ({"cpus": 8, "walltime_s": 3600}, {"cpus": 1, "walltime_s": 86_400}):
        assert first_refusal(a_shape(memory_mb=2000, disk_mb=1, **wants), site, filters(POLICY)) is None


def test_a_job_that_no_single_kind_of_node_suits_is_refused():
    old, new = Platform("x86_64-v2", "el8", ("a",)), Platform("x86_64-v3", "el9", ("b",))
    room = Limits(8, 16_000, 9000, 86_400)
    sizes = (replace(room, platform=old, gpus=Gpus(1)), replace(room, platform=new))
    site = a_site(limits=replace(room, gpus=Gpus(1)), offers=sizes)
    for wants in ({"platform": old}, {"platform": new}, {"gpus": Gpus(1)}, {"gpus": Gpus(1), "platform": old}):
        assert first_refusal(a_shape(**wants), site, filters(POLICY)) is None
    mixed = replace(old, os="el9")
    for wants in ({"platform": mixed}, {"gpus": Gpus(1), "platform": new}):
        assert first_refusal(a_shape(**wants), site, filters(POLICY)).tag == "no-size"


def held_against(site):
    """What is held against a site among others."""
    return health([site, a_site("SITE_Y"), a_site("SITE_Z")], (), POLICY, NOON)


def test_every_filter_has_a_tag_of_its_own():
    impossible = {"cpus": 9, "memory_mb": 9, "disk_mb": 9, "walltime_s": 9, "gpus": Gpus(2, 9)}
    platform = Platform("aarch64", "el9", ("a",), ("sif",))
    barred = {"allow": ("X",), "block": ("SITE_A",), "left": ("SITE_A",), "full": ("SITE_A",), "over": ("SITE_A",)}
    barred["avoid"] = ("SITE_A",)
    read = Inputs(1000, (), sets=(("X",), ("Y",)), on_tape=("X",))
    shape = a_shape(**impossible, **barred, writes=True, platform=platform, inputs=read)
    poor = {"cpus": 1, "memory_mb": 1, "disk_mb": 1, "walltime_s": 1, "failed": 100}
    poor |= {"access": Access(allow=("higgs",)), "waiting_jobs": 1000, "running_jobs": 1}
    poor["closes_in_s"] = 0.5
    poor["storage"] = Storage(present=False, space_mb=10, used_mb=10, reserve_mb=1)
    sizes = (
        Limits(1, 1, 0, 1, platform=Platform("x86_64", "el8")),
        Limits(1, 0, 1, 1, platform=Platform("x86_64", "el8")),
    )
    site = a_site(status=SiteStatus.OFFLINE, **poor, failure=a_failure(), silent_s=1e6, offers=sizes)
    other = a_site("SITE_B", running_jobs=1000)  # soft ones need another site that fits
    # Only brokerage knows who reads; what is held against a site is one thing at a time.
    alone = [each for each in filters(POLICY, {"SITE_A": 1e7}) if each is not CROWDED and each.tag not in OPINIONS]
    alone += [ailing(tag, Health({"SITE_A": Ailment(tag, "is ill")})) for tag in OPINIONS]
    nowhere = replace(shape, inputs=Inputs(1000))
    refusals = [refusal_beside(nowhere if each is LOST else shape, site, other, each) for each in alone]
    tags = [refusal.tag for refusal in refusals if refusal]
    assert len(set(tags)) == len(alone) >= 20
    assert all(refusal.words for refusal in refusals)


def refusal_beside(shape, site, other, asked):
    """What one filter says of `site`, with another there."""
    sites = site_columns([site, other], POLICY)
    code = refused(shape_columns([shape], sites.names), sites, [asked])[0, 0]
    return asked.refusal(shape, site) if code else None


@pytest.mark.parametrize(
    ("asked", "shape", "site", "tag", "words"),
    [
        (
            DOWNTIME,
            a_shape(walltime_s=28_800),
            a_site(closes_in_s=7200.0),
            "downtime-soon",
            "goes into downtime in 2.0 h, and the job asks for 8.0 h",
        ),
        (
            left(6 * 3600.0),
            a_shape(left=("SITE_A",)),
            a_site(),
            "recently-left",
            "the jobs were moved away from there within 6 h",
        ),
        (
            slow(86_400.0, {"SITE_A": 90_000.0}),
            a_shape(),
            a_site(),
            "long-wait",
            "has work for 25 h, over the limit of 24 h",
        ),
        (
            overloaded(20, 2.0),
            a_shape(),
            a_site(waiting_jobs=1234, running_jobs=10),
            "overloaded",
            "has 1,234 idle jobs for 10 that run, over 2 times the mean",
        ),
        (
            crowded_by_user(8 * 3600.0, 1000),
            a_shape(full=("SITE_A",)),
            a_site(),
            "user-queue",
            "has work for over 8 h, with over 1,000 idle jobs of the same user",
        ),
    ],
)
def test_a_soft_reason_is_one_only_where_another_site_fits(asked, shape, site, tag, words):
    other = a_site("SITE_B", running_jobs=1000)
    assert refusal_beside(shape, site, other, asked) == Refusal(tag, words)
    assert first_refusal(shape, site, [asked]) is None
    closed = [STATUS, asked]
    assert first_refusal(shape, replace(site, status=SiteStatus.DRAINING), closed).tag == "site-draining"
    sites = site_columns([site, replace(other, status=SiteStatus.DRAINING)], POLICY)
    assert refused(shape_columns([shape], sites.names), sites, closed).tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("waiting", "running", "refuses"),
    [(20, 1, False), (21, 1, True), (40, 20, False), (41, 20, True), (500, 0, False)],
)
def test_a_site_is_overloaded_by_the_measure_of_all(waiting, running, refuses):
    site = a_site(waiting_jobs=waiting, running_jobs=running)
    found = refusal_beside(a_shape(), site, a_site("SITE_B", running_jobs=1000), overloaded(20, 2.0))
    assert (found is not None) == refuses


@pytest.mark.parametrize(
    ("access", "group", "admitted"),
    [
        (Access(), "", True),
        (Access(allow=("higgs",)), "higgs", True),
        (Access(allow=("higgs",)), "higgs.zz", True),
        (Access(allow=("higgs",)), "higgs2", False),
        (Access(allow=("higgs",)), "", False),
        (Access(allow=("higgs.zz",)), "higgs", False),
        (Access(block=("qcd",)), "qcd.jets", False),
        (Access(block=("qcd",)), "", True),
        (Access(allow=("higgs",), block=("higgs.zz",)), "higgs.zz", False),
    ],
)
def test_a_site_takes_the_groups_it_is_open_to(access, group, admitted):
    found = first_refusal(a_shape(group=group), a_site(access=access), [SHARE])
    assert (found is None) == admitted


def test_a_closed_share_is_told_with_the_rule_and_the_group():
    site = a_site(access=Access(("higgs", "top"), ("higgs.zz",)))
    words = "takes only jobs of higgs, top and takes no jobs of higgs.zz; the payload's group is higgs.zz"
    assert first_refusal(a_shape(group="higgs.zz"), site, [SHARE]) == Refusal("share-closed", words)
    assert "the payload's group is none" in first_refusal(a_shape(), site, [SHARE]).words


@given(st.lists(shapes(), min_size=1, max_size=4), some_sites())
def test_asking_for_many_shapes_at_once_is_asking_for_each(shapes, found):
    asked, sites = filters(POLICY), site_columns(found, POLICY)
    together = refused(shape_columns(shapes, sites.names), sites, asked)
    for row, shape in enumerate(shapes):
        alone = refused(shape_columns([shape], sites.names), sites, asked)
        assert together[row].tolist() == alone[0].tolist()


@given(st.lists(shapes(), min_size=1, max_size=4), some_sites())
def test_soft_reasons_leave_every_job_a_site_that_had_one(shapes, found):
    asked, sites = filters(POLICY, {site.name: site.waiting_jobs * 1e7 for site in found}), site_columns(found, POLICY)
    columns = shape_columns(shapes, sites.names)
    hard = refused(columns, sites, [each for each in asked if not each.soft])
    both = refused(columns, sites, asked)
    assert ((both == 0).any(axis=1) == (hard == 0).any(axis=1)).all()
    assert (hard == 0)[both == 0].all()
