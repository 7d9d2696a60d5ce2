"""The catalogue of causes knows every code that the wrapper ends with."""

from router.decide.causes import EXIT_CODES, SIGNAL_BASE
from router.worker.merge_files import MERGE_FAILED
from router.worker.wrapper.exit_codes import CAUSES


def test_the_catalogue_has_the_codes_and_the_words_of_the_wrapper():
    ours = {tag: each for tag, each in CAUSES.items() if tag != "payload_killed"}
    catalogue = {cause.tag.replace("-", "_"): (code, f"{cause.words}.") for code, cause in EXIT_CODES.items()}
    assert catalogue == ours
    assert CAUSES["payload_killed"][0] == SIGNAL_BASE


def test_each_cause_has_a_code_of_its_own():
    codes = [code for code, _ in CAUSES.values()]
    assert len(set(codes)) == len(codes) and 0 not in codes


def test_the_merge_program_ends_with_the_code_of_a_failed_merge():
    assert CAUSES["merge_failed"][0] == MERGE_FAILED
