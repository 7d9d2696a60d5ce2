"""Merging the parts of an output."""

import io
import json
import tarfile
import zipfile

import awkward
import hist
import numpy
import pyarrow
import pyarrow.feather
import pyarrow.parquet
import pytest
import uproot
from uproot.writing import identify

from router.worker import merge_files
from router.worker.merge_files import Format, merge
from router.worker.merging import text, trees
from router.worker.merging.parts import Counts, MergeError, Part


@pytest.fixture
def write(tmp_path):
    """Writes one ROOT file from named objects; a dict of arrays becomes a TTree."""

    def write(name, objects):
        with uproot.recreate(tmp_path / name) as target:
            for key, value in objects.items():
                if isinstance(value, dict):
                    target.mktree(key, {n: awkward.type(awkward.Array(a)).content for n, a in value.items()})
                    target[key].extend(value)
                else:
                    target[key] = value
        return tmp_path / name

    return write


def as_parts(paths):
    return [Part(f"/user/alice/t/{path.name}", path) for path in paths]


def merged_of(tmp_path, *parts):
    merge(as_parts(parts), tmp_path / "merged.root")
    return uproot.open(tmp_path / "merged.root")


def weighted(*axes, seed, entries=200):
    """A histogram of random weights, with some in under- and overflow."""
    random = numpy.random.default_rng(seed)
    filled = hist.Hist(*axes, storage=hist.storage.Weight())
    return filled.fill(*random.normal(0, 1, (len(axes), entries)), weight=random.uniform(0.5, 2, entries))


X = hist.axis.Regular(10, -1, 1, name="x")
Y = hist.axis.Variable([-1, 0, 0.2, 1], name="y")
Z = hist.axis.Regular(2, -1, 1, name="z")


@pytest.mark.parametrize("axes", [(X,), (Y,), (X, Y), (X, Y, Z)])
def test_contents_and_variances_of_histograms_add_up_with_their_overflows(tmp_path, write, axes):
    parts = [weighted(*axes, seed=seed) for seed in range(3)]
    files = [write(f"{n}.root", {"dir/sub/h": part}) for n, part in enumerate(parts)]
    found = merged_of(tmp_path, *files)["dir/sub/h"]
    total = parts[0] + parts[1] + parts[2]
    assert found.classname == f"TH{len(axes)}D"
    assert numpy.allclose(found.values(flow=True), total.values(flow=True), rtol=1e-12)
    assert numpy.allclose(found.variances(flow=True), total.variances(flow=True), rtol=1e-12)


def a_th1(contents, low=0.0, entries=None, labels=None):
    axis = identify.to_TAxis("xaxis", "mass", len(contents) - 2, low, 1.0, fLabels=labels)
    filled = float(numpy.sum(contents)) if entries is None else entries
    return identify.to_TH1x("h", "title", contents, filled, filled, filled, 1.5, 2.5, None, axis)


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "f4", "f8"])
def test_a_histogram_keeps_its_class_its_title_and_its_statistics(tmp_path, write, dtype):
    part = a_th1(numpy.array([0, 1, 2, 3], dtype), entries=9.0)
    found = merged_of(tmp_path, write("a.root", {"h": part}), write("b.root", {"h": part}))["h"]
    assert found.classname == part.classname
    assert found.values(flow=True).tolist() == [0, 2, 4, 6]
    assert [found.member(name) for name in ("fEntries", "fTsumwx", "fTsumwx2", "fTitle")] == [18, 3, 5, "title"]
    assert found.member("fXaxis").member("fTitle") == "mass"


def test_a_bin_that_overflows_its_class_is_an_error(tmp_path, write):
    part = write("a.root", {"h": a_th1(numpy.array([0, 100, 0], "i1"))})
    with pytest.raises(MergeError, match=r"h \(TH1C\): a bin's sum is too large"):
        merged_of(tmp_path, part, part)


def test_a_string_axis_keeps_its_labels(tmp_path, write):
    cuts = hist.Hist(hist.axis.StrCategory(["all", "muons"]), storage=hist.storage.Weight())
    cuts.fill(["all", "all", "muons"])
    part = write("a.root", {"cuts": cuts})
    found = merged_of(tmp_path, part, part)["cuts"]
    assert (found.axis().labels(), found.values().tolist()) == (["all", "muons"], [4, 2])


def test_profiles_merge_to_the_mean_of_all_entries(tmp_path, write):
    def a_profile(total, entries):
        axis = identify.to_TAxis("xaxis", "", 1, 0.0, 1.0)
        sums, counts = numpy.array([0.0, total, 0.0]), numpy.array([0.0, entries, 0.0])
        none = numpy.array([], "f8")
        return identify.to_TProfile(
            "p", "", sums, entries, entries, entries, 0, 0, total, 0, sums**2, counts, none, axis
        )

    parts = [write("a.root", {"p": a_profile(10.0, 1.0)}), write("b.root", {"p": a_profile(2.0, 3.0)})]
    found = merged_of(tmp_path, *parts)["p"]
    assert (found.values().tolist(), found.member("fEntries")) == ([3.0], 4)


def test_an_object_that_only_some_parts_have_is_kept(tmp_path, write):
    found = merged_of(
        tmp_path,
        write("a.root", {"a": weighted(X, seed=1)}),
        write("b.root", {"b": weighted(X, seed=2)}),
    )
    assert sorted(found.keys(cycle=False)) == ["a", "b"]


EVENTS = {"run": numpy.arange(3), "pt": awkward.Array([[1.0, 2.0], [], [3.0]]), "type": awkward.Array(["GT", "T", ""])}


def test_trees_are_appended_with_strings_variable_lengths_and_counters(tmp_path, write):
    part = write("a.root", {"dir/events": EVENTS})
    found = merged_of(tmp_path, part, part)["dir/events"]
    assert found.classname == "TTree"
    assert found["run"].array().tolist() == [0, 1, 2, 0, 1, 2]
    assert found["pt"].array().tolist() == [[1, 2], [], [3]] * 2
    assert found["type"].array().tolist() == ["GT", "T", ""] * 2
    assert sorted(found.keys()) == ["npt", "pt", "run", "type"]


def test_a_tree_may_be_empty_in_the_first_part_or_in_all(tmp_path, write):
    empty = write("a.root", {"events": {name: array[:0] for name, array in EVENTS.items()}})
    full = write("b.root", {"events": EVENTS})
    assert merged_of(tmp_path, empty, full)["events"]["pt"].array().tolist() == [[1, 2], [], [3]]
    assert merged_of(tmp_path, empty, empty)["events"].num_entries == 0


def test_rntuples_are_appended_and_stay_rntuples(tmp_path, write):
    with uproot.recreate(tmp_path / "a.root") as target:
        target.mkrntuple("events", {"x": [1, 2], "v": awkward.Array([[1.0], []])})
    found = merged_of(tmp_path, tmp_path / "a.root", tmp_path / "a.root")
    assert found.classnames(cycle=False) == {"events": "ROOT::RNTuple"}
    assert found["events"].arrays().tolist() == [{"x": 1, "v": [1.0]}, {"x": 2, "v": []}] * 2


def test_small_parts_of_a_tree_are_written_as_one_basket(tmp_path, write):
    part = write("a.root", {"events": {"run": numpy.arange(3)}})
    found = merged_of(tmp_path, *[part] * 20)["events"]
    assert (found.num_entries, found["run"].num_baskets) == (60, 1)


def test_a_tree_larger_than_a_chunk_is_written_piece_by_piece(tmp_path, write, monkeypatch):
    monkeypatch.setattr(trees, "CHUNK_BYTES", 8 * 1000)
    part = write("a.root", {"events": {"run": numpy.arange(600)}})
    found = merged_of(tmp_path, *[part] * 5)["events"]
    assert found["run"].num_baskets == 3
    assert found["run"].array().tolist() == list(range(600)) * 5


def test_only_the_newest_cycle_of_an_object_counts(tmp_path):
    with uproot.recreate(tmp_path / "a.root") as target:
        target["h"] = weighted(X, seed=1)
        target["h"] = a_th1(numpy.array([0.0, 1.0, 0.0]))
    assert merged_of(tmp_path, tmp_path / "a.root")["h"].values().tolist() == [1]


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (a_th1(numpy.zeros(3)), a_th1(numpy.zeros(4)), r"x \(TH1D\): the parts have different binnings of Xaxis"),
        (a_th1(numpy.zeros(3)), a_th1(numpy.zeros(3), low=0.5), "different binnings"),
        (a_th1(numpy.zeros(3)), a_th1(numpy.zeros(3, "f4")), "x is a TH1D in one part and a TH1F in another"),
        (a_th1(numpy.zeros(12)), weighted(hist.axis.Regular(10, 0, 1), seed=1), "some parts are weighted"),
        ({"run": numpy.arange(2)}, {"run": numpy.arange(2.0)}, r"x \(TTree\): the parts have different branches"),
        (a_th1(numpy.zeros(3)), "words", "x is a TH1D in one part and a TObjString in another"),
        ("words", "words", "x is a TObjString, which cannot be merged"),
    ],
)
def test_what_cannot_be_merged_is_named_with_its_class_and_leaves_no_file(tmp_path, write, first, second, why):
    with pytest.raises(MergeError, match=why):
        merged_of(tmp_path, write("a.root", {"x": first}), write("b.root", {"x": second}))
    assert not (tmp_path / "merged.root").exists()


def texts(tmp_path, suffix, *contents):
    for number, content in enumerate(contents):
        (tmp_path / f"{number}{suffix}").write_text(content)
    merge(as_parts(tmp_path / f"{number}{suffix}" for number in range(len(contents))), tmp_path / f"merged{suffix}")
    return (tmp_path / f"merged{suffix}").read_text()


@pytest.mark.parametrize(
    ("suffix", "parts", "merged"),
    [
        (".csv", ["a,b\n1,2\n", "a,b\n3,4", "a,b\n"], "a,b\n1,2\n3,4\n"),
        (".txt", ["one", "two\n", ""], "one\ntwo\n"),
        (".jsonl", ['{"a": 1}', '{"a": 2}'], '{"a": 1}\n{"a": 2}\n'),
        (".json", ["[1, 2]", "[]", '["x"]'], '[1, 2, "x"]'),
    ],
)
def test_text_is_joined_as_its_suffix_asks(tmp_path, suffix, parts, merged):
    assert texts(tmp_path, suffix, *parts) == merged


@pytest.mark.parametrize(
    ("suffix", "parts", "why"),
    [
        (".csv", ["a,b\n", "b,a\n"], "its header differs"),
        (".json", ["[1]", "{}"], "holds no list"),
        (".hdf5", [""], "no way to merge files of this suffix"),
        (".txt", [], "there are no parts"),
    ],
)
def test_text_that_does_not_fit_together_is_an_error(tmp_path, suffix, parts, why):
    with pytest.raises(MergeError, match=why):
        texts(tmp_path, suffix, *parts)


def archived(tmp_path, name, members):
    path = tmp_path / name
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as target:
            for member, content in members.items():
                target.writestr(member, content)
        return path
    with tarfile.open(path, "w:gz") as target:
        for member, content in members.items():
            told = tarfile.TarInfo(member)
            told.size = len(content)
            target.addfile(told, io.BytesIO(content.encode()))
    return path


def members_of(path):
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(path) as source:
            return {name: source.read(name).decode() for name in source.namelist()}
    with tarfile.open(path) as source:
        return {member.name: source.extractfile(member).read().decode() for member in source}


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tgz"])
def test_archives_get_a_folder_for_each_part_once(tmp_path, suffix):
    parts = [archived(tmp_path, f"log_{n}{suffix}", {"run.log": f"job {n}", "a/b": "x"}) for n in range(2)]
    half = tmp_path / f"log_merge-1-0{suffix}"
    assert merge(as_parts(parts), half) == [{"members": 2}, {"members": 2}]
    whole = tmp_path / f"whole{suffix}"
    merge(as_parts([half]), whole)
    assert members_of(whole) == {"log_0/run.log": "job 0", "log_0/a/b": "x", "log_1/run.log": "job 1", "log_1/a/b": "x"}


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd"])
def test_a_member_that_would_leave_its_folder_is_refused(tmp_path, suffix, name):
    part = archived(tmp_path, f"log_0{suffix}", {name: "x"})
    with pytest.raises(MergeError, match="would leave the folder"):
        merge(as_parts([part]), tmp_path / f"merged{suffix}")


def columns(path, values):
    table = pyarrow.table({"pt": values})
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(table, path)
    else:
        pyarrow.feather.write_feather(table, path)
    return path


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".feather"])
def test_columns_follow_each_other_with_their_types(tmp_path, suffix):
    parts = [columns(tmp_path / f"{n}{suffix}", [n + 0.5, n + 1.5]) for n in range(3)]
    merged = tmp_path / f"merged{suffix}"
    assert merge(as_parts(parts), merged) == [{"rows": 2}] * 3
    read = pyarrow.parquet.read_table if suffix == ".parquet" else pyarrow.feather.read_table
    assert read(merged).to_pydict() == {"pt": [0.5, 1.5, 1.5, 2.5, 2.5, 3.5]}
    with pytest.raises(MergeError, match=f"other{suffix}: its columns differ"):
        merge(as_parts([*parts, columns(tmp_path / f"other{suffix}", [1])]), merged)


def test_a_merge_that_loses_entries_is_noticed_whatever_the_format(tmp_path, monkeypatch):
    def lossy(parts, merged):
        merged.write_text("one line\n")
        return [Counts({"lines": 1}) for _ in parts]

    monkeypatch.setitem(merge_files.FORMATS, ".txt", Format(lossy, text.count_text))
    with pytest.raises(MergeError, match="lines: 1 entries were written, the parts have 2"):
        texts(tmp_path, ".txt", "a\n", "b\n")
    assert not (tmp_path / "merged.txt").exists()


def run(monkeypatch, tmp_path, *parts, merged="merged.root", command=""):
    listing = tmp_path / "inputs.json"
    listing.write_text(json.dumps([{"lfn": f"/{part.name}", "path": str(part)} for part in parts]))
    monkeypatch.setenv("GLIDEROUTE_INPUTS", str(listing))
    monkeypatch.chdir(tmp_path)
    return merge_files.main([*(["--command", command] if command else []), "--", merged])


def test_the_program_merges_the_jobs_inputs_and_tells_of_each(tmp_path, write, monkeypatch, capsys):
    part = write("a.root", {"dir/events": EVENTS})
    assert run(monkeypatch, tmp_path, part, part) == 0
    assert capsys.readouterr().out == "merged.root: 2 parts merged\n"
    told = {"lfn": "/a.root", "size": part.stat().st_size, "entries": {"dir/events": 3}}
    manifest = json.loads((tmp_path / "merged.root.manifest.json").read_text())
    assert manifest == {"version": 1, "merged": "merged.root", "entries": {"dir/events": 6}, "parts": [told, told]}


def test_a_command_of_the_users_merges_what_only_it_knows(tmp_path, monkeypatch, capsys):
    (tmp_path / "join.sh").write_text('#!/bin/sh\nout=$1; shift; cat "$@" > "$out"\n')
    for name in ("a.dat", "b.dat"):
        (tmp_path / name).write_text(name)
    parts = tmp_path / "a.dat", tmp_path / "b.dat"
    assert run(monkeypatch, tmp_path, *parts, merged="-all.dat", command="join.sh") == 0
    assert (tmp_path / "-all.dat").read_text() == "a.datb.dat"
    (tmp_path / "join.sh").write_text("#!/bin/sh\nexit 3\n")
    assert run(monkeypatch, tmp_path, *parts, merged="all.dat", command="join.sh") == 77
    (tmp_path / "join.sh").write_text("#!/bin/sh\n")
    assert run(monkeypatch, tmp_path, *parts, merged="all.dat", command="join.sh") == 77
    assert run(monkeypatch, tmp_path, *parts, merged="all.dat", command="no.sh") == 77
    errors = capsys.readouterr().err
    assert "join.sh ended with exit code 3" in errors
    assert "did not write all.dat" in errors
    assert "no.sh could not be started" in errors


def test_a_part_that_is_no_root_file_is_a_failed_merge_in_words(tmp_path, monkeypatch, capsys):
    (tmp_path / "a.root").write_bytes(b"root" + bytes(300))
    assert run(monkeypatch, tmp_path, tmp_path / "a.root") == 77
    assert "merged.root was not merged: a.root holds no objects" in capsys.readouterr().err
    (tmp_path / "a.root").write_bytes(b"no root")
    assert run(monkeypatch, tmp_path, tmp_path / "a.root") == 77
    assert merge_files.main([]) == 77
