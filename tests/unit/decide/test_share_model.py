"""The accountant's model keeps to what HTCondor promises: quotas, ceilings, floors, and forgetting."""

import pytest
from fair_shares import a_group, endless, groups
from hypothesis import given
from hypothesis import strategies as st

from router.decide import share_quota
from router.decide.share_model import Model, parts, simulate
from router.model.share_load import Submission
from router.model.shares import ROOT, Person, SharePolicy

DAY_S = 86_400


def used(policy: SharePolicy, *submitters: str, cores: float = 100) -> dict[str, float]:
    """Cores in use after the first cycle, with more jobs than anyone can run."""
    model = Model(policy, cores)
    for each in endless(*submitters):
        model.submit(each)
    model.step(0)
    return {name: who.used for name, who in model.submitters.items()}


def test_equal_users_get_equal_parts() -> None:
    assert used(SharePolicy(), "a", "b") == {"a": 50, "b": 50}


def test_at_first_parts_are_inverse_to_the_factor_and_later_to_its_root() -> None:
    policy = SharePolicy(people=(Person("b", factor=4000),), half_life_s=600)
    assert used(policy, "a", "b") == {"a": 80, "b": 20}
    course = simulate(policy, endless("a", "b", run_s=120), 100, 6 * 3600)
    assert parts(course, 3 * 3600) == pytest.approx({"a": 2 / 3, "b": 1 / 3}, abs=0.02)


def test_groups_get_their_quotas_and_what_others_leave() -> None:
    policy = groups(a_group("a", 50, surplus=True), a_group("b", 30, surplus=True), a_group("c", 20, surplus=True))
    assert used(policy, "a.x", "b.x", "c.x") == {"a.x": 50, "b.x": 30, "c.x": 20}
    assert used(policy, "a.x", "b.x") == {"a.x": 62, "b.x": 37}  # 62.5 and 37.5: a limit is a whole number


def test_a_group_without_surplus_stops_at_its_quota() -> None:
    policy = groups(a_group("a", cores=30), a_group("a.b", 50), a_group("c", 20))
    assert used(policy, "a.x", "a.b.x", "c.x") == {"a.x": 15, "a.b.x": 15, "c.x": 14}


def test_a_ceiling_holds_and_a_floor_comes_first() -> None:
    policy = SharePolicy(people=(Person("a", ceiling=7), Person("b", factor=10**6, floor=20)))
    found = used(policy, "a", "b", "c")
    assert found == {"a": 7, "b": 20, "c": 73}


def test_half_of_what_was_used_is_forgotten_in_a_half_life() -> None:
    model = Model(SharePolicy(half_life_s=1000), 64)
    model.submit(Submission("a", 0, 64, 10_000))
    model.step(0)
    model.step(1000)
    assert model.submitters["a"].priority == pytest.approx(0.5 * 0.5 + 64 * 0.5)
    model.step(11_000)
    after = model.submitters["a"].priority
    model.step(12_000)
    assert model.submitters["a"].priority == pytest.approx(after / 2)


def test_who_comes_later_gets_more_until_all_have_had_the_same() -> None:
    load = [*endless("a", run_s=600), Submission("b", DAY_S / 4, 100_000, 600)]
    course = simulate(SharePolicy(half_life_s=7200), load, 100, DAY_S)
    rows = dict(zip(course.times, course.used["b"], strict=True))
    assert rows[DAY_S / 4 + 1200] > 85
    assert rows[DAY_S] == pytest.approx(50, abs=5)


def test_waits_and_starvation_are_told() -> None:
    load = [Submission("a", 0, 10, 3600), Submission("b", 600, 10, 600), Submission("c", 0, 1, 60, cores=11)]
    course = simulate(SharePolicy(), load, 10, 7200)
    assert course.quantile("a", 1.0) == 0
    assert course.quantile("b", 0.5) == 3000
    assert course.starved_s["b"] == 3000
    assert course.left["c"] == 11  # no pool of 10 cores ever runs it
    assert course.quantile("c", 0.5) == 0


def test_jobs_of_several_cores_count_for_all_of_them() -> None:
    model = Model(groups(a_group("a", 50), a_group("b", 50)), 64)
    model.submit(Submission("a.x", 0, 100, 600, cores=8))
    model.submit(Submission("b.x", 0, 100, 600, cores=1))
    model.step(0)
    assert {name: who.used for name, who in model.submitters.items()} == {"a.x": 32, "b.x": 32}


amounts = st.sampled_from([0.0, 3.0, 40.0, 1000.0])
members = st.sampled_from(["a", "a.x", "a.y", "a.x.u", "b", "b.x"])


@given(
    st.lists(st.tuples(members, st.integers(0, 100), st.booleans(), st.booleans()), max_size=6),
    st.dictionaries(st.sampled_from([ROOT, "a", "a.x", "a.y", "a.x.u", "b", "b.x"]), amounts),
)
def test_no_more_cores_are_given_than_there_are_and_none_to_who_wants_none(
    shapes: list[tuple[str, int, bool, bool]], wanted: dict[str, float]
) -> None:
    tree = {
        name: a_group(name, percent=0 if fixed else amount, cores=amount if fixed else 0, surplus=surplus)
        for name, amount, surplus, fixed in shapes
    }
    whole = [each for name, each in sorted(tree.items()) if all(up in tree for up in _above(name))]
    nodes = share_quota.tree(groups(*whole))
    share_quota.allocate(nodes, 100, wanted, {})
    assert sum(node.allocated for node in nodes.values()) <= 100 + 1e-6
    for name, node in nodes.items():
        assert -1e-6 <= node.allocated <= wanted.get(name, 0.0) + 1e-6
        if not node.surplus:
            assert sum(each.allocated for each in _below(node)) <= node.subtree_quota + 1e-6


def _above(name: str) -> list[str]:
    levels = name.split(".")
    return [".".join(levels[:depth]) for depth in range(1, len(levels))]


def _below(node: share_quota.Node) -> list[share_quota.Node]:
    return [node, *(each for child in node.children for each in _below(child))]


@given(st.permutations(["a", "b", "c"]))
def test_the_order_in_which_jobs_come_changes_nothing(order: list[str]) -> None:
    people = (Person("b", factor=3000), Person("c", factor=5000))
    assert used(SharePolicy(people=people), *order) == {"a": 66, "b": 21, "c": 13}


def test_who_is_below_the_floor_is_offered_all_of_it_again() -> None:
    policy = SharePolicy(people=(Person("b", factor=10**6, floor=20),))
    model = Model(policy, 100)
    model.occupy("b", 19, 1000)
    model.occupy("a", 40, 1000)
    for name in ("a", "b"):
        model.submit(Submission(name, 0, 100, 1000))
    model.step(0)
    assert model.submitters["b"].used == 39
