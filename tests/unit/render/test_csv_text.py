"""CSV that a spreadsheet shows and does not run."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.render.csv_text import csv_text


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2", "@x", "|calc", "%x", "\t=1", "\r=1", "  =1", "\n@x"])
def test_a_text_that_would_be_run_stands_behind_an_apostrophe(text):
    (_, (cell, number)) = list(csv.reader(io.StringIO(csv_text(["a", "b"], [[text, -2]]))))
    assert cell.startswith("'")
    assert number == "-2"


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=5))
def test_every_row_comes_back_as_one_row_and_no_cell_begins_a_formula(rows):
    found = list(csv.reader(io.StringIO(csv_text(["a", "b"], rows), newline="")))
    assert [len(row) for row in found] == [2] * (len(rows) + 1)
    assert not [cell for row in found for cell in row if cell.lstrip(" ").startswith(("=", "+", "-", "@"))]
