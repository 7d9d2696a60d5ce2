"""The day of passes, as small as can be: every pass is told, and drawn where that is asked for."""

import json

from benchmarks import day
from router.settings import Loop
from router.testing.build import a_decision, a_place, a_world

SMALL = ["--jobs", "1000", "--sites", "5", "--hours", "4"]


def test_a_day_tells_every_pass_as_one_json_object(capsys):
    assert day.main([*SMALL, "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["jobs"], found["sites"], found["pass_interval_s"]) == (1000, 5, Loop().interval_s)
    assert 0 < found["passes"] <= 4 * 3600 / Loop().interval_s + 1
    assert {len(column) for column in found["series"].values()} == {found["passes"]}
    assert 0 < found["pass_p50_s"] <= found["pass_p99_s"] <= found["pass_max_s"] == max(found["series"]["seconds"])
    assert found["peak_rss_mb"] > 0 and 0 < found["alone_rss_mb"] < 300
    assert sum(found["series"]["placed"]) > 0


def test_a_day_is_drawn_where_that_is_asked_for(tmp_path):
    picture = tmp_path / "day.svg"
    passes = day.Passes()
    passes.decide(a_world())
    day.draw(passes, picture, "a day of one pass")
    assert "</svg>" in picture.read_text()


def test_a_pass_counts_the_calls_that_follow_once_for_equal_values(monkeypatch):
    one, other = a_decision("SITE_A"), a_decision("SITE_A", words="otherwise explained")
    made = [a_place(1, decision=one), a_place(2, decision=one), a_place(3, decision=other)]
    monkeypatch.setattr(day, "decide", lambda world, policy: made)
    passes = day.Passes()
    passes.decide(a_world())
    assert (passes.placed, passes.calls) == ([3], [2 + 1])
