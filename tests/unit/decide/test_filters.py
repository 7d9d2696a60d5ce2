"""Each reason not to use a site: when it holds, its words, its tag."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import shapes, some_sites

from router.decide.columns import shape_columns, site_columns
from router.decide.filters import CROWDED, filters, first_refusal, refused
from router.model.action import Refusal
from router.model.node import Gpus, Platform
from router.model.policy import BrokerPolicy
from router.model.site import Limits, SiteStatus
from router.testing.build import a_failure, a_shape, a_site, inputs_at

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
        (a_shape(platform=Platform(os="el9")), a_site(), "os", "asks for el9, nodes there have unknown"),
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
    assert first_refusal(shape, site, filters(POLICY)) == Refusal(tag, words)


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
        (a_shape(platform=Platform("x86_64-v2")), a_site()),
        (a_shape(platform=Platform("any", "el9", ("b",))), a_site(platform=Platform("aarch64", "el9", ("a", "b")))),
        (a_shape(), a_site(succeeded=5, failed=4)),
        (a_shape(), a_site(succeeded=7, failed=3)),
        (a_shape(), a_site(waiting_jobs=10**6)),
        (a_shape(), a_site(silent_s=3 * 3600.0)),
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


def test_every_filter_has_a_tag_of_its_own():
    impossible = {"cpus": 9, "memory_mb": 9, "disk_mb": 9, "walltime_s": 9, "gpus": Gpus(2, 9)}
    platform = Platform("aarch64", "el9", ("a",), ("sif",))
    shape = a_shape(**impossible, platform=platform, allow=("X",), block=("SITE_A",), inputs=inputs_at("NOWHERE"))
    poor = {"cpus": 1, "memory_mb": 1, "disk_mb": 1, "walltime_s": 1, "failed": 100}
    sizes = (Limits(1, 1, 0, 1, platform=Platform("x86_64")), Limits(1, 0, 1, 1, platform=Platform("x86_64")))
    site = a_site(status=SiteStatus.OFFLINE, **poor, failure=a_failure(), silent_s=1e6, offers=sizes)
    alone = [each for each in filters(POLICY) if each is not CROWDED]  # who else reads, only brokerage knows
    tags = [first_refusal(shape, site, [each]).tag for each in alone]
    assert len(set(tags)) == len(tags) >= 10
    assert all(first_refusal(shape, site, [each]).words for each in alone)


@given(st.lists(shapes(), min_size=1, max_size=4), some_sites())
def test_asking_for_many_shapes_at_once_is_asking_for_each(shapes, found):
    asked, sites = filters(POLICY), site_columns(found, POLICY)
    together = refused(shape_columns(shapes, sites.names), sites, asked)
    for row, shape in enumerate(shapes):
        alone = refused(shape_columns([shape], sites.names), sites, asked)
        assert together[row].tolist() == alone[0].tolist()
