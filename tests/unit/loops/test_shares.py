"""A policy is applied whole, or everything is as it was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from router.errors import PoolUnreachable, RouterError
from router.loops import shares
from router.model.shares import Group, Person, Quota, SharePolicy, SubmitterSetting
from router.render import negotiator as rendering
from router.resources import folder

POLICY = SharePolicy(
    groups=(Group("a", Quota(0.5, True), members=("eve",)),), people=(Person("eve", factor=2000, ceiling=9),)
)


@dataclass
class Negotiator:
    """A negotiator that reads its directory when it is told to, or does not."""

    place: Path
    deaf: bool = False
    dies: bool = False
    refuses: bool = False
    runs: dict[str, str] = field(default_factory=lambda: {"UID_DOMAIN": "vo"})
    records: dict[str, SubmitterSetting] = field(default_factory=dict)
    asked: int = 0

    def settings(self) -> Mapping[str, str]:
        self.asked += 1
        if self.dies and self.asked > 1:
            raise PoolUnreachable("it is gone")
        return self.runs

    def submitters(self) -> Mapping[str, SubmitterSetting]:
        return dict(self.records)

    def set_submitters(self, changes: Sequence[tuple[str, str, float]]) -> None:
        for name, kind, value in () if self.refuses else changes:
            held = self.records.get(name, SubmitterSetting(name, 1000.0))
            values = {"factor": held.factor, "ceiling": held.ceiling, "floor": held.floor, kind: value}
            self.records[name] = SubmitterSetting(
                name, float(values["factor"]), int(values["ceiling"]), int(values["floor"])
            )

    def reconfigure(self, kinds: Sequence[str]) -> None:
        if not self.deaf:
            texts = [each.read_text() for each in sorted(self.place.glob("*.config"))]
            told = [item for text in texts for item in rendering.parse(text).items()]
            self.runs = {"UID_DOMAIN": "vo", **dict(told)}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    made = tmp_path / "config.d"
    made.mkdir()
    return made


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "SETTLE_S", 0.0)
    monkeypatch.setattr(shares, "ASK_EVERY_S", 0.001)


def apply(running: Negotiator, policy: SharePolicy = POLICY) -> shares.Difference:
    files = rendering.render(policy, folder("negotiator_policies"), "p.yaml", running.place.parent / "map")
    return shares.apply(policy, files, running, shares.ConfigDirectory(running.place, rendering.FILES), 0.02)


def test_a_policy_is_applied_and_then_differs_in_nothing(place: Path) -> None:
    running = Negotiator(place)
    assert "group a is new" in apply(running).words[0]
    assert running.records["a.eve@vo"] == SubmitterSetting("a.eve@vo", 2000.0, 9, 0)
    assert shares.compare(POLICY, running).words == ()
    assert (place.parent / rendering.MAP_FILE).read_text() == "* eve a\n"


def test_what_an_earlier_policy_left_is_taken_away(place: Path) -> None:
    running = Negotiator(place)
    apply(running)
    apply(running, SharePolicy())
    assert [each.name for each in place.iterdir()] == [rendering.SHARES_FILE]
    assert not (place.parent / rendering.MAP_FILE).exists()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"deaf": True}, "GROUP_QUOTA_DYNAMIC_a is 0.5, not 0.6"),
        ({"dies": True}, "does not answer: it is gone"),
        ({"refuses": True}, "the factor of a.eve@vo is 2000.0, not 3000"),
    ],
)
def test_a_policy_that_does_not_come_to_run_leaves_no_trace(place: Path, fault: dict[str, bool], words: str) -> None:
    running = Negotiator(place)
    apply(running)
    before = {each: each.read_text() for each in place.iterdir()}
    records = dict(running.records)
    running.asked = 0
    for name, value in fault.items():
        setattr(running, name, value)
    other = SharePolicy(groups=(Group("a", Quota(0.6, True), members=("eve",)),), people=(Person("eve", factor=3000),))
    with pytest.raises(RouterError, match="the old one is back") as raised:
        apply(running, other)
    assert words in str(raised.value)
    assert {each: each.read_text() for each in place.iterdir()} == before
    assert running.records == records


def test_a_directory_that_cannot_be_written_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RouterError, match="name another directory with --config-dir"):
        apply(Negotiator(tmp_path / "nowhere"))
