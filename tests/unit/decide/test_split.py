"""Cutting datasets: every event exactly once, no job over two sets of locations, the same cut every time."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.split import MAX_JOBS, batches
from router.errors import UserError
from router.model.files import Dataset
from router.model.payload import Split
from router.model.sweep import Sweep
from router.testing.build import a_dataset, a_file, a_payload


def cut(by: str, target: int, *files):
    return batches(a_payload(dataset="/demo/zmumu", split=Split(by, target)), a_dataset(files=files))


def ranges(batch):
    return [
        [(piece.located.file.lfn, piece.first_event, piece.events) for piece in chunk.pieces] for chunk in batch.chunks
    ]


def test_a_payload_without_input_is_one_batch_of_so_many_jobs():
    (batch,) = batches(a_payload(jobs=3), None)
    assert (batch.key, batch.sites) == ("b0", frozenset())
    assert [(chunk.job, chunk.pieces) for chunk in batch.chunks] == [("0000", ()), ("0001", ()), ("0002", ())]


def test_every_point_of_a_sweep_reads_the_whole_input():
    payload = a_payload(dataset="/d", split=Split("files", 1), sweep=Sweep((("mass", ("110", "120")),)))
    first, second = batches(payload, a_dataset(files=[a_file("/1", "A"), a_file("/2", "A"), a_file("/3", "B")]))
    told = [(c.job, dict(c.point)["mass"], [p.located.file.lfn for p in c.pieces]) for c in first.chunks]
    assert told == [("0000", "110", ["/1"]), ("0001", "110", ["/2"]), ("0002", "120", ["/1"]), ("0003", "120", ["/2"])]
    assert [(chunk.job, dict(chunk.point)["mass"]) for chunk in second.chunks] == [("0004", "110"), ("0005", "120")]


def test_a_sweep_without_input_runs_so_many_jobs_of_each_point():
    (batch,) = batches(a_payload(jobs=2, sweep=Sweep((("x", ("1", "2")), ("y", ("3", "4"))))), None)
    assert [" ".join(value for _, value in chunk.point) for chunk in batch.chunks] == [
        *("1 3", "1 3", "1 4", "1 4", "2 3", "2 3", "2 4", "2 4")
    ]


def test_a_sweep_of_too_many_jobs_is_refused():
    with pytest.raises(UserError, match="This makes 10,002 jobs or more"):
        batches(a_payload(jobs=5_001, sweep=Sweep((("x", ("1", "2")),))), None)


def test_files_of_other_locations_are_other_batches_and_jobs_are_numbered_through():
    first, second, third = cut(
        "files", 2, a_file("/1", "B"), a_file("/2", "A", "B"), a_file("/3", "B"), a_file("/4", "A"), a_file("/5", "B")
    )
    assert [batch.key for batch in (first, second, third)] == ["b0", "b1", "b2"]
    assert [sorted(batch.sites) for batch in (first, second, third)] == [["A"], ["A", "B"], ["B"]]
    assert [[chunk.job for chunk in batch.chunks] for batch in (first, second, third)] == [
        ["0000"],
        ["0001"],
        ["0002", "0003"],
    ]
    assert ranges(third) == [[("/1", 0, 100), ("/3", 0, 100)], [("/5", 0, 100)]]


def test_a_split_by_events_goes_on_into_the_next_file():
    (batch,) = cut("events", 70, a_file("/1", "A"), a_file("/2", "A", events=10), a_file("/3", "A", events=50))
    assert ranges(batch) == [[("/1", 0, 70)], [("/1", 70, 30), ("/2", 0, 10), ("/3", 0, 30)], [("/3", 30, 20)]]


def test_a_split_by_size_fills_jobs_with_whole_files_and_a_larger_file_is_a_job_alone():
    sizes = [400, 600, 100, 5000, 900, 200]
    (batch,) = cut("size", 1000, *(a_file(f"/{n}", "A", size=size) for n, size in enumerate(sizes)))
    assert [[piece.located.file.size for piece in chunk.pieces] for chunk in batch.chunks] == [
        [400, 600],
        [100],
        [5000],
        [900],
        [200],
    ]


def test_a_split_by_blocks_keeps_the_files_of_a_directory_at_the_same_sites_together():
    first, second = cut(
        "blocks", 1, a_file("/a/1", "A"), a_file("/b/1", "A"), a_file("/a/2", "A"), a_file("/a/3", "A", "B")
    )
    assert ranges(first) == [[("/a/1", 0, 100), ("/a/2", 0, 100)], [("/b/1", 0, 100)]]
    assert ranges(second) == [[("/a/3", 0, 100)]]


@pytest.mark.parametrize(
    ("by", "total", "expected"),
    [
        ("files", 2, [("/1", 100), ("/2", 100)]),
        ("files", 0.5, [("/1", 100), ("/2", 100)]),
        ("events", 150, [("/1", 100), ("/2", 50)]),
        ("events", 0.1, [("/1", 30)]),
        ("size", 0.5, [("/1", 100), ("/2", 100)]),
        ("blocks", 0.9, [("/1", 100), ("/2", 100), ("/3", 100)]),
    ],
)
def test_a_total_takes_the_first_by_name_wherever_they_lie(by, total, expected):
    files = [a_file("/3", "A"), a_file("/1", "B"), a_file("/2", "A")]
    found = batches(a_payload(dataset="/d", split=Split(by, 10_000, total)), a_dataset(files=files))
    pieces = [piece for batch in found for chunk in batch.chunks for piece in chunk.pieces]
    assert sorted((piece.located.file.lfn, piece.events) for piece in pieces) == expected


def test_a_total_that_leaves_nothing_is_refused():
    with pytest.raises(UserError, match=r"split.total: 0.1 leaves nothing of the 2 that there are: no job results"):
        batches(
            a_payload(dataset="/d", split=Split("files", 1, 0.1)),
            a_dataset(files=[a_file("/1", "A"), a_file("/2", "A")]),
        )


@pytest.mark.parametrize(
    ("by", "target", "files", "words"),
    [
        (
            "files",
            1,
            [a_file("/1", "A"), a_file("/2")],
            "1 file(s) of /demo/zmumu have no copy anywhere, the first is /2",
        ),
        ("events", 1, [a_file("/1", "A", events=0)], "Split by files instead"),
        (
            "events",
            1,
            [a_file("/1", "A", events=MAX_JOBS + 1)],
            "This makes 10,001 jobs or more; a task has",
        ),
    ],
)
def test_what_cannot_be_cut_is_refused_with_the_remedy(by, target, files, words):
    with pytest.raises(UserError) as caught:
        cut(by, target, *files)
    assert words in str(caught.value)


def test_an_empty_dataset_is_refused_with_the_remedy():
    with pytest.raises(UserError, match="is empty"):
        batches(a_payload(dataset="/demo/none"), Dataset("/demo/none", ()))


LOCATIONS = st.sampled_from([("A",), ("B",), ("A", "B"), ("A", "B", "C")])
FILES = st.lists(st.tuples(LOCATIONS, st.integers(min_value=1, max_value=30)), min_size=1, max_size=12).map(
    lambda found: [a_file(f"/f{n}", *sites, events=events) for n, (sites, events) in enumerate(found)]
)
TARGETS = st.integers(min_value=1, max_value=40)
RULES = st.sampled_from(("files", "events", "size", "blocks"))


@given(FILES, RULES, TARGETS)
def test_every_event_is_in_exactly_one_job(files, by, target):
    seen = Counter(
        (piece.located.file.lfn, event)
        for batch in cut(by, target, *files)
        for chunk in batch.chunks
        for piece in chunk.pieces
        for event in range(piece.first_event, piece.first_event + piece.events)
    )
    assert set(seen.values()) == {1}
    assert len(seen) == sum(located.file.events for located in files)


@given(FILES, RULES, TARGETS)
def test_no_job_mixes_files_of_different_location_sets(files, by, target):
    for batch in cut(by, target, *files):
        assert {piece.located.sites for chunk in batch.chunks for piece in chunk.pieces} == {batch.sites}


@given(FILES, TARGETS)
def test_no_job_is_empty_or_over_its_target(files, target):
    for batch in cut("files", target, *files):
        assert all(1 <= len(chunk.pieces) <= target for chunk in batch.chunks)
    for batch in cut("events", target, *files):
        sizes = [sum(piece.events for piece in chunk.pieces) for chunk in batch.chunks]
        assert all(size == target for size in sizes[:-1])
        assert 1 <= sizes[-1] <= target


@given(FILES, RULES, TARGETS, st.randoms(use_true_random=False))
def test_the_cut_does_not_depend_on_the_order_of_the_files(files, by, target, shuffle):
    assert cut(by, target, *shuffle.sample(files, len(files))) == cut(by, target, *files)


@given(FILES, TARGETS)
def test_every_job_has_a_name_of_its_own(files, target):
    found = [chunk.job for batch in cut("events", target, *files) for chunk in batch.chunks]
    assert len(set(found)) == len(found)
