"""A merge that cannot carry something over says what, whatever the format."""

import tarfile
import zipfile
from types import SimpleNamespace

import numpy
import pyarrow
import pyarrow.feather
import pyarrow.parquet
import pytest
import uproot
from uproot.interpretation.identify import UnknownInterpretation

from router.worker.merge_files import FORMATS, merge
from router.worker.merging.parts import MergeError, Part
from router.worker.merging.trees import TreeSum


def refused(*paths):
    """What merging these files says."""
    merged = paths[0].with_name(f"merged{''.join(paths[0].suffixes)}")
    with pytest.raises(MergeError) as caught:
        merge([Part(f"/user/alice/t/{path.name}", path) for path in paths], merged)
    assert not merged.exists()
    return str(caught.value)


def a_file(path):
    """A whole file of a format."""
    table = pyarrow.table({"pt": [0.5]})
    match path.suffix:
        case ".root":
            with uproot.recreate(path) as target:
                target.mktree("events", {"run": "i8"})
                target["events"].extend({"run": numpy.arange(3)})
        case ".parquet":
            pyarrow.parquet.write_table(table, path)
        case ".arrow" | ".feather":
            pyarrow.feather.write_feather(table, path)
        case ".json":
            path.write_text("[1]")
        case ".zip":
            with zipfile.ZipFile(path, "w") as target:
                target.writestr("a", "a")
        case _:
            with tarfile.open(path, "w"):
                pass
    return path


ANY_TEXT = (".csv", ".txt", ".log", ".jsonl")


@pytest.mark.parametrize("suffix", sorted(FORMATS.keys() - set(ANY_TEXT)))
@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)], ids=["last", "first"])
def test_a_damaged_part_is_named_wherever_it_stands(tmp_path, suffix, order):
    damaged = tmp_path / f"damaged{suffix}"
    damaged.write_bytes(b"this is a poem")
    paths = [a_file(tmp_path / f"good{suffix}"), damaged][order]
    merged = tmp_path / f"merged{suffix}"
    with pytest.raises(MergeError, match=f"damaged{suffix} cannot be read"):
        merge([Part(f"/user/alice/t/{path.name}", path) for path in paths], merged)
    assert not merged.exists()


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".feather"])
def test_the_columns_that_differ_are_named(tmp_path, suffix):
    write = pyarrow.parquet.write_table if suffix == ".parquet" else pyarrow.feather.write_feather
    one, two = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
    write(pyarrow.table({"pt": [0.5], "eta": [1]}), one)
    write(pyarrow.table({"pt": [1], "phi": [1]}), two)
    told = refused(one, two)
    assert told.startswith(f"two{suffix}: its columns differ")
    for column in ("pt (int64 instead of double)", "eta (none instead of int64)", "phi (int64 instead of none)"):
        assert column in told


def test_both_headers_are_told(tmp_path):
    (tmp_path / "one.csv").write_text("a,b\n")
    (tmp_path / "two.csv").write_text("a,c\n")
    assert "two.csv: its header differs from that of one.csv: b'a,c' instead of b'a,b'" in refused(
        tmp_path / "one.csv", tmp_path / "two.csv"
    )


def test_the_branches_that_differ_are_named(tmp_path):
    for name, branch in (("one.root", "run"), ("two.root", "lumi")):
        with uproot.recreate(tmp_path / name) as target:
            target.mktree("events", {branch: "i8", "pt": "f4"})
    told = refused(tmp_path / "one.root", tmp_path / "two.root")
    assert told == "events (TTree): the parts have different branches: lumi, run"


@pytest.mark.parametrize(
    ("branch", "why"),
    [
        (SimpleNamespace(name="odd", branches=[], typename="TClonesArray", interpretation=UnknownInterpretation),
         r"events \(TTree\): its branch odd is a TClonesArray, which cannot be merged here"),
        (SimpleNamespace(name="muon", branches=[object()], typename="Muon", interpretation=None),
         r"its branch muon has branches of its own"),
    ],
)  # fmt: skip
def test_a_branch_that_uproot_would_leave_out_is_named(branch, why):
    if isinstance(branch.interpretation, type):
        branch.interpretation = UnknownInterpretation("no such streamer", "events.root", "/events")
    with pytest.raises(MergeError, match=why):
        TreeSum("TTree", None).refuse_unwritable("events", SimpleNamespace(branches=[branch]))


def test_what_a_tree_has_beside_its_branches_is_said_to_be_left_out(capsys):
    part = SimpleNamespace(branches=[], member=lambda name, none_if_missing: name == "fAliases")
    TreeSum("TTree", None).refuse_unwritable("events", part)
    assert capsys.readouterr().err == "events: its Aliases are left out\n"
