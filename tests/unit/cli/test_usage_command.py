"""`glideroute accounting`: what was used, as table, CSV, JSON and plot."""

import csv
import io
import time

import pytest

from router import wiring
from router.cli import usage
from router.errors import PoolUnreachable
from router.model.usage import BADLY, WELL
from router.settings import Settings, parse
from router.testing.build import a_run
from router.testing.clock import NOON, FakeClock

NOW = int(NOON)


@pytest.fixture(autouse=True)
def _noon(monkeypatch):
    monkeypatch.setattr(usage, "SystemClock", FakeClock)


@pytest.fixture
def booked(run, tmp_path):
    """Two users' runs in the database of the test's home, which declares what one site promised."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "glideroute.yaml").write_text("sites: {SITE_A: {pledge: {hs23: 20, hs23_per_core: 10}}}\n")
    store = wiring.store(Settings(home=home))
    alice = a_run(started=NOW - 7200, ended=NOW, cores=2, job=WELL, group="higgs")
    bob = a_run(cluster=2, owner="bob", site="SITE_B", started=NOW - 3600, ended=NOW, outcome="failed", job=BADLY)
    store.record_runs([alice, bob])
    yield store
    store.close()


@pytest.mark.usefixtures("booked")
def test_sums_are_told_by_what_is_asked_for(run):
    found = run("accounting", "--by", "user", "--json").json
    assert found == [
        {
            "user": "alice", "runs": 1, "jobs_well": 1, "jobs_badly": 0, "wall_h": 4.0, "cpu_h": 0.5, "wasted_h": 0.0,
            "efficiency": 0.125,
        },
        {
            "user": "bob", "runs": 1, "jobs_well": 0, "jobs_badly": 1, "wall_h": 1.0, "cpu_h": 0.5, "wasted_h": 1.0,
            "efficiency": 0.5,
        },
    ]  # fmt: skip
    today = time.strftime("%Y-%m-%d", time.gmtime(NOW))
    shown = run("accounting", "--by", "site,day").out
    assert today in shown and "SITE_B" in shown
    assert shown.splitlines()[-1].split()[:5] == ["all", "2", "1", "1", "5.0"]


@pytest.mark.usefixtures("booked")
@pytest.mark.parametrize(
    ("options", "users"),
    [
        (("--user", "bob"), ["bob"]),
        (("--site", "SITE_A"), ["alice"]),
        (("--since", "2001-01-01", "--until", "2002-01-01"), []),
        (("--since", time.strftime("%Y-%m-%d", time.gmtime(NOW))), ["alice", "bob"]),
    ],
)
def test_only_what_is_asked_for_is_counted(run, options, users):
    assert [each["user"] for each in run("accounting", "--by", "user", "--json", *options).json] == users


@pytest.mark.usefixtures("booked")
@pytest.mark.parametrize("by", ["", "user,user", "node", "user;site"])
def test_what_there_are_no_sums_by_is_told(run, by):
    shown = run("accounting", "--by", by)
    assert (shown.code, "--by takes some of user, group, site, day" in shown.err) == (2, True)


@pytest.mark.usefixtures("booked")
def test_sites_are_held_against_what_they_promised(run):
    found = {each["site"]: each for each in run("accounting", "--pledges", "--json").json}
    assert found["SITE_A"]["pledged_core_hours"] == 48.0
    assert found["SITE_A"]["hs23_hours"] == 40.0
    assert found["SITE_B"]["fulfilment"] is None
    assert "1 day(s)" in run("accounting", "--pledges").out
    assert run("accounting", "--pledges", "--csv").out.splitlines()[0].startswith("site,core_hours,")


def test_a_name_is_no_formula_and_no_command_of_a_terminal(run, booked):
    for number, name in enumerate(("=cmd|' /C calc'!A0", "@SUM(A1)", "-1+1", "\x1b]2;x\x07", "[bold]x", "a\u202eb")):
        booked.record_runs([a_run(cluster=10 + number, owner=name, started=NOW - 60, ended=NOW)])
    rows = list(csv.DictReader(io.StringIO(run("accounting", "--by", "user", "--csv").out)))
    assert len(rows) == 8
    assert not [row for row in rows if row["user"].startswith(("=", "@", "-", "+", "\x1b"))]
    shown = run("accounting", "--by", "user").out
    assert "[bold]x" in shown
    assert not [each for each in shown if not each.isprintable() and each != "\n"]


def test_a_plot_is_drawn_whatever_names_there_are(run, booked, tmp_path):
    pytest.importorskip("matplotlib")
    names = ("$x", "_hidden", "\x1b[31m", "", "$\\frac{$", *(f"u{number}" for number in range(9)))
    booked.record_runs(
        [a_run(cluster=20 + number, owner=name, started=NOW - 60, ended=NOW) for number, name in enumerate(names)]
    )
    plot = tmp_path / "usage.png"
    assert run("accounting", "--plot", plot).code == 0
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_nothing_booked_is_nothing_shown_and_no_plot(run, tmp_path):
    assert run("accounting", "--json").json == []
    shown = run("accounting", "--plot", tmp_path / "usage.png")
    assert (shown.code, "nothing to draw" in shown.err) == (2, True)


@pytest.mark.usefixtures("booked")
def test_an_import_is_made_first_where_that_is_asked_for(run, monkeypatch):
    def down(*_):
        raise PoolUnreachable("down")

    monkeypatch.setattr(wiring, "import_usage", down)
    assert run("accounting", "--json").code == 0
    assert run("accounting", "--import").code == 4
    monkeypatch.setattr(wiring, "import_usage", lambda _, memory: memory.record_runs([a_run(ended=NOW, started=NOW)]))
    assert len(run("accounting", "--import", "--json", "--by", "user").json) == 2


@pytest.mark.parametrize(
    ("pledge", "cores"), [("{cores: 60}", 60), ("{hs23: 400, hs23_per_core: 10}", 40), ("{hs23_per_core: 9}", 0)]
)
def test_a_pledge_is_of_cores_or_of_their_score(tmp_path, pledge, cores):
    (site,) = parse(f"sites: {{A: {{pledge: {pledge}}}}}", Settings(home=tmp_path)).sites
    assert site.pledge.cores == cores


@pytest.mark.parametrize("pledge", ["{hs23: 400}", "{hs23: 400, cores: 3, hs23_per_core: 10}"])
def test_a_pledge_that_says_two_things_or_half_of_one_is_refused(tmp_path, pledge):
    with pytest.raises(Exception, match="hs23: needs hs23_per_core"):
        parse(f"sites: {{A: {{pledge: {pledge}}}}}", Settings(home=tmp_path))
