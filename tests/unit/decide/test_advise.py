"""What would let jobs start sooner: each wish that keeps sites away is named, and told only when it helps."""

import pytest

from router.decide.advise import advise
from router.decide.broker import Brokerage
from router.model.node import Gpus, Platform
from router.model.policy import BrokerPolicy
from router.testing.build import a_shape, a_site, inputs_at

WELL_FITTED = {"cores": 8, "idle_cores": 8}


def words(shape, *sites):
    return [advice.words for advice in advise(Brokerage(sites, BrokerPolicy()), shape, 1)]


@pytest.mark.parametrize(
    ("shape", "site", "told"),
    [
        (a_shape(memory_mb=20_000), a_site(**WELL_FITTED), "ask for 16,384 MB of memory instead of 20,000 MB"),
        (a_shape(allow=("SITE_B",)), a_site(**WELL_FITTED), "allow all sites"),
        (a_shape(block=("SITE_A",)), a_site(**WELL_FITTED), "block no site"),
        (a_shape(gpus=Gpus(1, 9000)), a_site(gpus=Gpus(1, 8000), **WELL_FITTED), "take GPUs of any kind"),
        (a_shape(gpus=Gpus(1)), a_site(**WELL_FITTED), "ask for no GPU"),
        (
            a_shape(platform=Platform("x86_64-v3")),
            a_site(platform=Platform("x86_64-v2"), **WELL_FITTED),
            "build for x86_64 instead of x86_64-v3",
        ),
        (
            a_shape(platform=Platform("aarch64")),
            a_site(platform=Platform("x86_64-v2"), **WELL_FITTED),
            "run on any architecture, not only aarch64",
        ),
        (
            a_shape(platform=Platform(os="el9")),
            a_site(platform=Platform(os="el8"), **WELL_FITTED),
            "run on any system, not only el9",
        ),
        (
            a_shape(platform=Platform(software=("root-6.30", "uproot"))),
            a_site(platform=Platform(software=("uproot",)), **WELL_FITTED),
            "do without root-6.30",
        ),
        (a_shape(platform=Platform(images=("docker",))), a_site(**WELL_FITTED), "run without a container"),
        (
            a_shape(inputs=inputs_at("TAPE").off(frozenset({"TAPE"}))),
            a_site(**WELL_FITTED),
            "have the input copied to SITE_A",
        ),
    ],
)
def test_the_wish_that_keeps_a_site_away_is_told(shape, site, told):
    assert told in words(shape, site)


def test_a_wish_that_keeps_nothing_away_is_not_told():
    shape = a_shape(gpus=Gpus(1, 1000, 7.0), platform=Platform("x86_64-v2", "el9", ("a",), ("sif",)))
    there = Platform("x86_64-v3", "el9", ("a", "b"), ("docker", "sif"))
    assert words(shape, a_site(gpus=Gpus(2, 2000, 8.0), platform=there, **WELL_FITTED)) == []
