"""Splitting between luminosity sections: CRAB's rules, and that no part of a file is read twice or never."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.split import Sections, batches
from router.errors import UserError
from router.model.lumis import Lumis
from router.model.payload import Split
from router.testing.build import a_dataset, a_file, a_payload, some_lumis


def cut(by, target, files, mask=None, total=0.0):
    """Batches of a dataset; `files` gives each file's sections."""
    payload = a_payload(dataset="/demo/zmumu", mask="good.json" if mask else "", split=Split(by, target, total))
    known = {located.file.lfn: lumis for located, lumis in files}
    return batches(payload, a_dataset(files=[located for located, _ in files]), Sections(known, mask))


def jobs(found):
    """For each job its files with their sections, as documents."""
    return [
        {piece.located.file.lfn: piece.lumis.document() for piece in chunk.pieces}
        for batch in found
        for chunk in batch.chunks
    ]


def test_jobs_have_exactly_so_many_sections_over_the_limits_of_runs_and_files():
    files = [(a_file("/1", "A"), some_lumis((1, 1, 5))), (a_file("/2", "A"), some_lumis((1, 6, 6), (2, 1, 3)))]
    assert jobs(cut("lumis", 4, files)) == [
        {"/1": {"1": [[1, 4]]}},
        {"/1": {"1": [[5, 5]]}, "/2": {"1": [[6, 6]], "2": [[1, 2]]}},
        {"/2": {"2": [[3, 3]]}},
    ]


def test_files_are_taken_by_their_lowest_run():
    files = [(a_file("/1", "A"), some_lumis((9, 1, 1))), (a_file("/2", "A"), some_lumis((3, 1, 1)))]
    assert [list(job) for job in jobs(cut("lumis", 1, files))] == [["/2"], ["/1"]]


def test_a_section_in_several_files_goes_to_the_job_that_took_it_first():
    files = [(a_file("/1", "A"), some_lumis((1, 1, 2))), (a_file("/2", "A"), some_lumis((1, 1, 3)))]
    assert jobs(cut("lumis", 1, files)) == [
        {"/1": {"1": [[1, 1]]}, "/2": {"1": [[1, 1]]}},
        {"/1": {"1": [[2, 2]]}, "/2": {"1": [[2, 2]]}},
        {"/2": {"1": [[3, 3]]}},
    ]


def test_sections_are_taken_until_the_average_of_their_file_fills_the_job():
    dense = (a_file("/1", "A", events=100), some_lumis((1, 1, 10)))
    thin = (a_file("/2", "A", events=20), some_lumis((1, 11, 20)))
    assert [len(section) for section in sections(cut("lumi-events", 40, [dense, thin]))] == [4, 4, 12]


def test_a_job_goes_on_into_the_next_file_with_what_room_it_has_and_never_cuts_a_section():
    first = (a_file("/1", "A", events=30), some_lumis((1, 1, 3)))
    second = (a_file("/2", "A", events=140), some_lumis((1, 4, 10)))
    # 30 of 50 events taken: no section of 20 more than one fits; then two a job.
    assert [len(section) for section in sections(cut("lumi-events", 50, [first, second]))] == [4, 2, 2, 2]
    assert [len(section) for section in sections(cut("lumi-events", 5, [second]))] == [1] * 7


def test_a_file_without_events_gives_all_its_sections_to_one_job():
    empty = (a_file("/1", "A", events=0), some_lumis((1, 1, 30)))
    full = (a_file("/2", "A", events=10), some_lumis((1, 31, 40)))
    assert [len(section) for section in sections(cut("lumi-events", 10, [empty, full]))] == [40]


def sections(found):
    """The distinct sections of each job."""
    return [{s for piece in chunk.pieces for s in piece.lumis} for batch in found for chunk in batch.chunks]


def test_only_sections_of_the_mask_are_read_and_files_without_one_are_left_out():
    files = [(a_file("/1", "A"), some_lumis((1, 1, 10))), (a_file("/2", "A"), some_lumis((2, 1, 10)))]
    mask = some_lumis((1, 3, 4), (1, 9, 20))
    assert jobs(cut("files", 1, files, mask)) == [{"/1": {"1": [[3, 4], [9, 10]]}}]
    assert jobs(cut("lumis", 3, files, mask)) == [{"/1": {"1": [[3, 4], [9, 9]]}}, {"/1": {"1": [[10, 10]]}}]


def test_a_mask_that_leaves_no_job_is_told_with_the_runs():
    files = [(a_file("/1", "A"), some_lumis((7, 1, 9), (8, 1, 9)))]
    with pytest.raises(UserError) as caught:
        cut("lumis", 1, files, some_lumis((5, 1, 9), (7, 20, 30)))
    told = str(caught.value)
    assert "no luminosity section of /demo/zmumu is in good.json" in told
    assert "Runs of the mask: 5, 7. Runs of the data: 7-8. Runs of both: 7." in told


def test_files_that_do_not_say_their_sections_are_told():
    with pytest.raises(UserError, match=r"sections of 1 file\(s\) of /demo/zmumu are not known, the first is /2"):
        cut("lumis", 1, [(a_file("/1", "A"), some_lumis()), (a_file("/2", "A"), Lumis())])


@pytest.mark.parametrize(("total", "count"), [(3, 3), (0.25, 3), (0.24, 2), (0, 10), (99, 10)])
def test_a_total_of_sections_below_one_is_a_fraction_rounded_as_crab_does(total, count):
    found = cut("lumis", 2, [(a_file("/1", "A"), some_lumis((1, 1, 10)))], total=total)
    assert sum(len(each) for each in sections(found)) == count


SECTIONS = st.sets(st.tuples(st.integers(1, 2), st.integers(1, 8)), min_size=1).map(Lumis.sections)
LOCATIONS = st.sampled_from([("A",), ("B",), ("A", "B")])
FILES = st.lists(st.tuples(LOCATIONS, st.integers(1, 60), SECTIONS), min_size=1, max_size=7).map(
    lambda found: [(a_file(f"/f{n}", *sites, events=e), lumis) for n, (sites, e, lumis) in enumerate(found)]
)
RULES = st.sampled_from(["lumis", "lumi-events"])
TARGETS = st.integers(1, 30)


@given(FILES, RULES, TARGETS)
def test_every_section_of_every_file_is_in_exactly_one_job(files, by, target):
    seen = Counter((lfn, section) for lfn, section in read(cut(by, target, files)))
    assert seen == Counter((located.file.lfn, section) for located, lumis in files for section in lumis)


def read(found):
    return [
        (piece.located.file.lfn, section)
        for batch in found
        for chunk in batch.chunks
        for piece in chunk.pieces
        for section in piece.lumis
    ]


@given(FILES, RULES, TARGETS)
def test_within_one_set_of_locations_a_section_is_in_one_job_only(files, by, target):
    for batch in cut(by, target, files):
        owners = Counter(section for job in sections([batch]) for section in job)
        assert not owners or set(owners.values()) == {1}
        assert {piece.located.sites for chunk in batch.chunks for piece in chunk.pieces} == {batch.sites}


@given(FILES, TARGETS)
def test_jobs_of_sections_are_full_but_for_the_last_of_a_batch(files, target):
    for batch in cut("lumis", target, files):
        *full, last = [len(job) for job in sections([batch])]
        assert all(size == target for size in full)
        assert 1 <= last <= target


@given(FILES, RULES, TARGETS, SECTIONS)
def test_with_a_mask_exactly_its_sections_are_read(files, by, target, mask):
    wanted = {(located.file.lfn, section) for located, lumis in files for section in lumis & mask}
    if wanted:
        assert set(read(cut(by, target, files, mask))) == wanted


@given(FILES, RULES, TARGETS, st.randoms(use_true_random=False))
def test_the_cut_between_sections_does_not_depend_on_the_order_of_the_files(files, by, target, shuffle):
    assert cut(by, target, shuffle.sample(files, len(files))) == cut(by, target, files)
