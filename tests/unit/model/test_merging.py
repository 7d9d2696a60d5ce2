"""Trees of merge jobs."""

import pytest

from router.errors import UserError
from router.model.merging import files_of, is_merge, is_node, merge_tree, output_of
from router.model.payload import Output, parse
from router.testing.build import a_payload, a_task, an_output

JOBS = tuple(f"{number:04d}" for number in range(5))


def a_merged(*fan_ins, name="out{}.root"):
    return a_payload(outputs=tuple(Output(name.format(n), True, "", fan_in) for n, fan_in in enumerate(fan_ins)))


def test_every_part_is_joined_once_by_jobs_of_at_most_fan_in_parts():
    tree = merge_tree(a_merged(2), JOBS)
    assert [(node.job, node.parts) for node in tree.nodes] == [
        ("merge-1-0", ("0000",)),
        ("merge-1-1", ("0001", "0002")),
        ("merge-1-2", ("0003", "0004")),
        ("merge-2-0", ("merge-1-0",)),
        ("merge-2-1", ("merge-1-1", "merge-1-2")),
    ]
    assert tree.last == (("merge", ("merge-2-0", "merge-2-1")),)


@pytest.mark.parametrize(
    ("jobs", "fan_in", "levels"), [(1000, 50, [20]), (50, 50, []), (51, 50, [2]), (10**4, 10, [1000, 100, 10])]
)
def test_a_level_has_as_few_jobs_as_the_fan_in_allows(jobs, fan_in, levels):
    tree = merge_tree(a_merged(fan_in), [str(number) for number in range(jobs)])
    found = [int(node.job.split("-")[1]) for node in tree.nodes]
    assert [found.count(level) for level in sorted(set(found))] == levels
    assert all(1 <= len(node.parts) <= fan_in for node in tree.nodes)


def test_an_output_without_a_fan_in_is_joined_by_one_job_beside_a_tree_of_another():
    tree = merge_tree(a_merged(0, 3), JOBS)
    assert [node.job for node in tree.nodes] == ["merge1-1-0", "merge1-1-1"]
    assert tree.last == (("merge0", JOBS), ("merge1", ("merge1-1-0", "merge1-1-1")))
    task = a_task("t", payload=a_merged(0, 3))
    assert files_of(task, tree.nodes[0]) == (f"{task.outputs}/out1_0000.root", f"{task.outputs}/out1_0001.root")


def test_merge_batches_are_told_from_others_by_their_names():
    assert all(is_merge(name) for name in ("merge", "merge-1-0", "merge12-3-4"))
    assert not any(is_merge(name) for name in ("b0", "merge-b0", "merge-1"))
    assert not is_node("merge")


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("fan_in: 2", "it needs `merge: auto`"),
        ("merge: auto, fan_in: 1", "2"),
        ("merge: none, merge_with: join.py", "leave one of them out"),
        ("merge_with: ../join.py", "no directory"),
    ],
)
def test_a_merge_that_contradicts_itself_is_refused(output, why):
    with pytest.raises(UserError, match=why):
        parse(f"name: a\nexecutable: a.py\noutputs: [{{name: a.root, {output}}}]\n")


def test_a_tree_and_an_automatic_split_exclude_each_other():
    outputs = "outputs: [{name: a.root, merge: auto, fan_in: 2}]"
    text = f"name: a\nexecutable: a.py\ninput: {{dataset: /a}}\nsplit: {{by: auto}}\n{outputs}\n"
    with pytest.raises(UserError, match="does not tell how many parts"):
        parse(text)


def test_a_program_that_merges_is_reason_enough_to_merge():
    payload = parse("name: a\nexecutable: a.py\noutputs: [{name: a.dat, merge_with: join.py}]\n")
    assert payload.outputs == (Output("a.dat", True, "join.py"),)
    assert payload.merge_commands == ("join.py",)


@pytest.mark.parametrize(
    ("job", "output"),
    [
        ("merge0", "a"), ("merge1", "c"), ("merge1-2-0", "c"), ("partial0-1", "a"), ("partial1-3", "b"),
        ("partial7-1", ""), ("merge", ""), ("0003", ""), ("", ""),
    ],
)  # fmt: skip
def test_a_merge_jobs_name_says_which_output_it_joins(job, output):
    payload = a_payload(outputs=(an_output("a", merge=True), an_output("b"), an_output("c", merge=True)))
    assert output_of(payload, job) == output
