"""Saved worlds: what comes back is what was saved, and what is no saved world is told."""

import json

import pytest

from router.errors import UserError
from router.model.policy import BrokerPolicy
from router.model.snapshot import Saved, dump, load
from router.model.world import World
from router.store.worlds import Worlds, read
from router.testing.build import a_decision, a_failure, a_group, a_site, a_world, inputs_at

A_WORLD = a_world(
    a_site(failure=a_failure(), freed_per_h=None),
    jobs=(a_group(sites=("SITE_A",), decision=a_decision("SITE_A")), a_group(2)),
    inputs=((1, inputs_at("SITE_A")),),
)
POLICY = BrokerPolicy(name="overflow", max_sites=3, overflow=(("T1", ("T2_A", "T2_B")),))


def test_a_world_and_its_policy_come_back_as_they_were_saved():
    assert load(dump(A_WORLD, POLICY)) == Saved(A_WORLD, POLICY)


def test_a_world_that_was_saved_without_a_policy_is_read():
    text = json.loads(dump(A_WORLD))
    del text["policy"]
    assert load(json.dumps(text)) == Saved(A_WORLD, None)


@pytest.mark.parametrize(
    "text", ["", "{}", '{"version": 99, "world": {}}', '{"version": 1, "world": {"now": "noon"}}', "[1]"]
)
def test_what_is_no_saved_world_is_told(text):
    with pytest.raises(UserError, match="is no saved world"):
        load(text)


def test_the_last_worlds_are_kept_with_the_policy_and_older_ones_go(tmp_path):
    worlds = Worlds(tmp_path, 2, POLICY)
    for now in (1.0, 2.0, 3.0):
        worlds.save(World(now))
    kept = [read(path) for path in sorted(tmp_path.iterdir())]
    assert kept == [Saved(World(2.0), POLICY), Saved(World(3.0), POLICY)]
