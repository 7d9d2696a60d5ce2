"""Luminosity masks: read beside the payload, kept with the task, told to every job, and refused in words."""

import json
from pathlib import Path

import pytest
from fake_organisation import SPLIT_PAYLOAD

from router.errors import UserError
from router.testing.build import some_lumis

PAYLOAD = SPLIT_PAYLOAD.replace("{dataset: /demo/zmumu}", "{dataset: /demo/zmumu, lumis: good.json}").replace(
    "{by: events, target: 60}", "{by: lumis, target: 3}"
)


@pytest.fixture
def masked(router, folder):
    """A router that knows the sections of the demo's files, and a mask beside the payload."""
    said = {f"/demo/f{n}.root": some_lumis((n, 1, 10)) for n in (1, 2, 3)}
    router.memory.set_lumis(said, "alice")
    (folder / "good.json").write_text('{"1": [[2, 5]], "3": [[10, 12]]}')
    return router


def test_jobs_are_told_the_sections_of_the_mask_and_the_task_keeps_it(masked, folder):
    plan = masked.plan(PAYLOAD, "my.yaml", folder)
    assert plan.notes == ("1 of 3 files have no luminosity section that is asked for",)
    home = Path(masked.submit(plan, folder).task.directory)
    told = {}
    for path in (home / "jobs").glob("b*.json"):
        for job, said in json.loads(path.read_text())["jobs"].items():
            told[job] = [(each["lfn"], each["lumis"], each["events"]) for each in said["inputs"]]
    assert told == {
        "0000": [("/demo/f1.root", {"1": [[2, 4]]}, 30)],
        "0001": [("/demo/f1.root", {"1": [[5, 5]]}, 10)],
        "0002": [("/demo/f3.root", {"3": [[10, 10]]}, 10)],
    }
    assert (home / "code" / "good.json").read_text() == (folder / "good.json").read_text()


def test_that_a_section_lies_at_two_places_is_told(masked, folder):
    masked.memory.set_lumis({"/demo/f2.root": some_lumis((1, 3, 4))}, "alice")
    assert "2 luminosity section(s) lie in files at different sites" in masked.plan(PAYLOAD, "my.yaml", folder).notes[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1]", 'is not of the form {"148029"'),
        ("{", "A mask is JSON such as"),
        ("{}", "names no luminosity section"),
        ('{"9": [[1, 5]]}', "Runs of the mask: 9. Runs of the data: 1-3. Runs of both: none."),
    ],
)
def test_a_mask_that_cannot_be_used_is_refused_in_words(masked, folder, text, words):
    (folder / "good.json").write_text(text)
    with pytest.raises(UserError) as refused:
        masked.plan(PAYLOAD, "my.yaml", folder)
    assert words in str(refused.value)


def test_a_mask_that_is_missing_is_named(masked, folder):
    (folder / "good.json").unlink()
    with pytest.raises(UserError, match=r"good.json cannot be read: No such file or directory"):
        masked.plan(PAYLOAD, "my.yaml", folder)


def test_another_mask_is_another_task(masked, folder, organisation):
    organisation.pool.break_at("submit", UserError("stop"))
    with pytest.raises(UserError):
        masked.submit(masked.plan(PAYLOAD, "my.yaml", folder), folder)
    (folder / "good.json").write_text('{"1": [[2, 5]], "3": [[10, 13]]}')
    assert not masked.submit(masked.plan(PAYLOAD, "my.yaml", folder), folder).resumed
