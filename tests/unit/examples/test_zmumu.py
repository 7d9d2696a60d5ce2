"""The example analysis gives one answer, however its work is split."""

import importlib
import json
import zlib
from pathlib import Path

import numpy
import pytest
import uproot
import yaml

from router.worker.merge_files import merge
from router.worker.merging.parts import Part

EXAMPLE = Path(__file__).parents[3] / "examples" / "zmumu"
SAMPLE = Path(importlib.import_module("skhep_testdata").data_path("uproot-Zmumu.root"))


@pytest.fixture
def example(monkeypatch):
    """Imports a program of the example."""
    monkeypatch.syspath_prepend(EXAMPLE)
    return importlib.import_module


@pytest.fixture
def analyse(example, tmp_path, monkeypatch):
    """Runs the payload over ranges of files; returns what it wrote."""

    def analyse(name, *ranges):
        sandbox = tmp_path / name
        sandbox.mkdir()
        listed = [{"path": str(path), "first_event": first, "events": events} for path, first, events in ranges]
        (sandbox / "inputs.json").write_text(json.dumps(listed))
        monkeypatch.chdir(sandbox)
        monkeypatch.setenv("GLIDEROUTE_INPUTS", "inputs.json")
        monkeypatch.setattr("sys.argv", ["analyse.py", "--bins", "30"])
        example("analyse").main()
        return sandbox / "hist.root"

    return analyse


def masses(path):
    with uproot.open(path) as source:
        return source["mass"].values(flow=True).tolist(), source["mass"].member("fEntries")


def test_the_sample_is_cut_into_trees_that_together_hold_each_event_once(example, tmp_path):
    pieces = example("prepare").cut(SAMPLE, tmp_path / "dataset")
    files = [tmp_path / "dataset" / piece["name"] for piece in pieces]
    assert [(piece["name"], piece["events"]) for piece in pieces] == [(f"f{n:02d}.root", 192) for n in range(12)]
    assert [piece["run"] for piece in pieces] == [148031] * 8 + [148029] * 4
    assert [piece["size"] for piece in pieces] == [path.stat().st_size for path in files]
    assert [piece["adler32"] for piece in pieces] == [f"{zlib.adler32(path.read_bytes()):08x}" for path in files]
    together = uproot.concatenate([f"{path}:events" for path in files])
    original = uproot.open(SAMPLE)["events"].arrays()
    assert together.fields == original.fields
    assert together.tolist() == original.tolist()
    assert uproot.open(files[0]).classnames(cycle=False) == {"events": "TTree"}


@pytest.mark.parametrize("files", [0, 2305])
def test_files_without_events_are_refused(example, tmp_path, files):
    with pytest.raises(ValueError, match="cannot be cut"):
        example("prepare").cut(SAMPLE, tmp_path, files)


def test_the_mass_is_the_one_the_sample_knows(example):
    events = uproot.open(SAMPLE)["events"].arrays(library="np")
    assert numpy.allclose(example("analyse").pair_mass(events), events["M"], atol=1e-6)


def test_jobs_over_ranges_of_events_and_over_files_merge_to_the_same_histogram(analyse, tmp_path):
    whole = analyse("whole", (SAMPLE, 0, 2304))
    parts = [analyse("a", (SAMPLE, 0, 500)), analyse("b", (SAMPLE, 500, 1), (SAMPLE, 501, 1803))]
    merge([Part(part.name, part) for part in parts], tmp_path / "merged.root")
    assert masses(tmp_path / "merged.root") == masses(whole)
    assert masses(whole)[1] == 2304


def test_the_fit_finds_the_z_and_draws_it(example, analyse, tmp_path):
    fit = example("plot").fit_and_plot(analyse("whole", (SAMPLE, 0, 2304)), tmp_path / "z.png")
    assert fit.entries == 2304
    assert fit.peak == pytest.approx(90.74, abs=0.1) and 0 < fit.peak_error < 0.2
    assert 2.5 < fit.width < 7
    assert (tmp_path / "z.png").read_bytes().startswith(b"\x89PNG")


def test_the_fit_of_nothing_fails_in_words(example):
    with pytest.raises(ValueError, match="0 muon pairs are too few"):
        example("plot").fitted(numpy.zeros(60), numpy.linspace(60, 120, 61))


def test_the_payload_describes_files_that_are_there():
    payload = yaml.safe_load((EXAMPLE / "analysis.yaml").read_text())
    assert (EXAMPLE / payload["executable"]).stat().st_mode & 0o111
    assert payload["input"] == {"dataset": "/demo/zmumu", "where": "good = true and run >= 148029"}
    assert payload["outputs"] == [{"name": "hist.root", "merge": "auto"}]
