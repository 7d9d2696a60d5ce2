"""The factory's files: whose they are, and what is renewed in them; and how it counts its glideins."""

from pathlib import Path

import pytest

from router.model.pilot import Entry
from router.pilots.condor import CondorFactory, Factory
from router.render.glidein import PoolContact


class Submissions:
    """A queue that takes everything."""

    def submit(self, text: str, items: object) -> int:
        return 7


def test_glideins_that_start_later_take_the_new_token_and_it_stays_private(tmp_path: Path) -> None:
    tokens = ["first", "second", "second"]
    contact = PoolContact("127.0.0.1:9", "vo.test", "/usr")
    factory = Factory(tmp_path, contact, "schedd@vo.test", {}, lambda site: f"{site} {tokens.pop(0)}", 0)
    backend = CondorFactory(Submissions(), factory)  # type: ignore[arg-type]
    seen = []
    for _ in range(3):
        assert backend.start(Entry("a", "SITE_A"), 1) == ("7.0",)
        [file] = tmp_path.glob("a-*/token")
        seen.append((file.read_text(), file.stat().st_mode & 0o777))
        assert [each for each in file.parent.iterdir() if each.name.startswith(".")] == []
    assert seen == [("SITE_A first\n", 0o600), ("SITE_A second\n", 0o600), ("SITE_A second\n", 0o600)]


class Seen:
    """A queue with three glideins, the third of which waits, and what the collector tells."""

    def __init__(self, *machines: dict[str, object]) -> None:
        self.machines = machines

    def query(self, constraint: str, attributes: object) -> list[dict[str, object]]:
        jobs = [{"ClusterId": 7, "ProcId": proc, "JobStatus": 2 if proc < 2 else 1} for proc in range(3)]
        return [{"GLIDEIN_Entry_Name": "a", **job} for job in jobs]

    def ads(self, kind: str, constraint: str, attributes: object) -> list[dict[str, object]]:
        return [{"GLIDEIN_Entry_Name": "a", "GLIDEIN_Site": "SITE_A", **machine} for machine in self.machines]


def machine(proc: int, heard: int, **more: object) -> dict[str, object]:
    return {"GLIDEIN_ClusterId": 7, "GLIDEIN_ProcId": proc, "LastHeardFrom": heard, "NumDynamicSlots": 0, **more}


@pytest.mark.parametrize(
    ("machines", "counts"),
    [
        ([], {"starting": 2}),
        ([machine(0, 100)], {"idle": 1, "starting": 1}),
        ([machine(0, 100, NumDynamicSlots=1), machine(1, 100, GLIDEIN_Failed=True)], {"busy": 1, "failed": 1}),
        ([machine(0, 100, GLIDEIN_ToRetire=50, MyCurrentTime=60)], {"retiring": 1, "starting": 1}),
        ([machine(0, 100), machine(0, 200, NumDynamicSlots=2)], {"busy": 1, "starting": 1}),
        ([machine(0, 200, NumDynamicSlots=2), machine(0, 100)], {"busy": 1, "starting": 1}),
        ([machine(0, 100), machine(0, 200, GLIDEIN_Failed=True)], {"failed": 1, "starting": 1}),
        ([machine(5, 100), machine(6, 100), machine(2, 100)], {"starting": 2}),
    ],
    ids=["none joined", "idle", "busy, refused", "retires", "died idle, came back", "order", "died, refused", "dead"],
)
def test_a_glidein_is_what_its_newest_ad_says_and_the_ads_of_dead_ones_are_none(
    machines: list[dict[str, object]], counts: dict[str, int]
) -> None:
    factory = CondorFactory(Seen(*machines), None)  # type: ignore[arg-type]
    [state] = factory.states([Entry("a", "SITE_A")])
    assert {str(kind): count for kind, count in state.counts if count} == {"waiting": 1, **counts}
