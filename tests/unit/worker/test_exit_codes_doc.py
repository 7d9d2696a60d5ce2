"""docs/exit-codes.md says what the wrapper does."""

import re
from pathlib import Path

from router.worker.merge_files import MERGE_FAILED
from router.worker.run_job import CAUSES

DOC = Path(__file__).parents[3] / "docs" / "exit-codes.md"
ROW = re.compile(r"\| (\d+) \| `(\w+)` \| (.+?) \| .+ \|")


def test_the_documented_exit_codes_are_those_of_the_wrapper():
    rows = [match.groups() for line in DOC.read_text().splitlines() if (match := ROW.fullmatch(line))]
    assert {cause: (int(code), meaning) for code, cause, meaning in rows} == CAUSES


def test_each_cause_has_a_code_of_its_own():
    codes = [code for code, _ in CAUSES.values()]
    assert len(set(codes)) == len(codes) and 0 not in codes


def test_the_merge_program_ends_with_the_code_of_a_failed_merge():
    assert CAUSES["merge_failed"][0] == MERGE_FAILED
