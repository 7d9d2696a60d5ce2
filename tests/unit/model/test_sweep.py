"""Parameter sweeps: the points that values make, and what is refused with its line."""

import pytest

from router.errors import UserError
from router.model import payload
from router.model.sweep import Sweep, filled

HEAD = "name: a\nexecutable: run.sh\n"


def sweep(text: str) -> Sweep:
    return payload.parse(HEAD + text).sweep


def points(text: str) -> list[str]:
    return [" ".join(f"{name}{value}" for name, value in point) for point in sweep(text).points]


def test_values_are_combined_each_with_every_other_the_last_fastest():
    assert points("sweep: {m: [110, 120], s: {from: 1, to: 5, step: 2}}\n") == [
        *("m110 s1", "m110 s3", "m110 s5", "m120 s1", "m120 s3", "m120 s5")
    ]


def test_values_are_taken_together_where_they_are_zipped():
    assert points("sweep: {m: [110, 120], s: {from: -1, to: 0}}\ncombine: zip\n") == ["m110 s-1", "m120 s0"]


def test_nothing_swept_is_one_point_without_values():
    assert Sweep().points == ((),)
    assert (Sweep().size, Sweep((("m", ("1", "2")),) * 2).size) == (1, 4)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sweep: {}", "line 3: sweep: must name at least one parameter"),
        ("sweep: {m: 3}", "line 3: sweep.m: must be a mapping"),
        ("sweep: {m: []}", "line 3: sweep.m: has no value"),
        ("sweep: {m: ['a b']}", "'a b' is no value of a parameter"),
        ("sweep: {m: ['$(x)']}", "is no value of a parameter"),
        ('sweep: {m: ["a\\nb"]}', "is no value of a parameter"),
        ("sweep: {1m: [1]}", "is no name of a parameter"),
        ("sweep: {m: {from: 1}}", "line 3: sweep.m.to: is missing"),
        ("sweep: {m: {from: 3, to: 1}}", "line 3: sweep.m.to: gives 0 values"),
        ("sweep: {m: {from: 1, to: 100000}}", "gives 100,000 values"),
        ("sweep: {m: {from: 1, to: 5, setp: 2}}", "did you mean 'step'?"),
        ("sweep: {m: {from: 1, to: 101}, n: {from: 1, to: 100}}", "line 3: sweep: makes 10,100 points"),
        ("sweep: {m: [1, 2], n: [1]}\ncombine: zip", "line 3: sweep: has lists of 1 and 2 values"),
        ("combine: zip", "line 3: combine: says how the values of a `sweep` are combined"),
    ],
)
def test_a_sweep_that_means_nothing_is_told_with_its_line(text, words):
    with pytest.raises(UserError) as refused:
        sweep(f"{text}\n")
    assert words in str(refused.value)


def test_only_the_names_of_parameters_are_filled_in():
    assert filled("--m={mass} {other} {{mass}} {mass", [("mass", "110")]) == "--m=110 {other} {110} {mass"
