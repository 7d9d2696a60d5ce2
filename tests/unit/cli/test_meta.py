"""`glideroute meta` as a user runs it."""


def test_what_is_said_is_shown_with_where_it_comes_from(run):
    assert run("meta", "set", "/demo/", "tier=AOD", "run=148029").code == 0
    assert run("meta", "set", "/demo/f1.root", "good=true", "run='148'").code == 2
    assert run("meta", "set", "/demo/f1.root", "good=true").out == "/demo/f1.root: 1 key(s) set\n"
    assert run("meta", "get", "/demo/f1.root", "--json").json == {
        "good": {"value": True, "from": "/demo/f1.root"},
        "run": {"value": 148029, "from": "/demo"},
        "tier": {"value": "AOD", "from": "/demo"},
    }
    assert "true" in run("meta", "get", "/demo/f1.root").out


def test_files_are_found(run):
    run("meta", "set", "/demo/f1.root", "run=148029")
    assert run("meta", "find", "/demo//: run >= 148029").out == "/demo/f1.root\n"
    assert run("meta", "find", "/demo/zmumu: not run exists", "--json").json == ["/demo/f2.root", "/demo/f3.root"]
    assert run("meta", "find", "//", "--limit", "1").out == "/demo/f1.root\n"


def test_what_is_taken_back_is_gone_and_taken_back_again_is_an_error(run):
    run("meta", "set", "/demo/f1.root", "run=148029")
    assert run("meta", "unset", "/demo/f1.root", "run").code == 0
    assert run("meta", "unset", "/demo/f1.root", "run").code != 0
    assert run("meta", "get", "/demo/f1.root", "--json").json == {}


def test_a_key_of_texts_takes_what_looks_like_a_number_as_a_text(run):
    run("meta", "set", "/demo/f1.root", "tag=v1")
    run("meta", "set", "/demo/f2.root", "tag=2")
    assert run("meta", "find", "tag = '2'").out == "/demo/f2.root\n"


def test_what_is_not_understood_is_told_in_words(run):
    for arguments, words in (
        (("find", "run == 5"), "column 6: '=' cannot stand here; equality is a single =."),
        (("find", "rum = 5"), "No file has a key rum"),
        (("set", "/demo/f1.root", "run"), "write KEY=VALUE"),
        (("set", "/demo/f1.root", "a b=5"), "is not a key"),
        (("set", "/demo/f1.root", "run=1e999"), "is too large"),
        (("set", "demo", "run=1"), "is not a logical name"),
        (("set", "/nowhere", "run=1"), "There is no file, dataset or directory /nowhere"),
    ):
        answer = run("meta", *arguments)
        assert answer.code != 0
        assert words in answer.err


def test_a_dry_run_says_how_many_files_were_chosen(run, payload):
    run("meta", "set", "/demo/f1.root", "run=148029")
    text = payload.read_text()
    where = "{dataset: /demo/zmumu, where: run exists and event.n >= 2}"
    payload.write_text(text.replace("{dataset: /demo/zmumu}", where))
    shown = run("submit", payload, "--dry-run").out
    assert "reads 1 of 3 file(s) of /demo/zmumu" in shown
    assert "events are for the program to select: n >= 2" in shown
    found = run("submit", payload, "--dry-run", "--json").json
    assert (found["files"], found["files_offered"], found["selection"]) == (1, 3, "n >= 2")
    payload.write_text(text.replace("{dataset: /demo/zmumu}", "{query: /demo//}"))
    assert "reads 3 file(s) of /demo//" in run("submit", payload, "--dry-run").out
