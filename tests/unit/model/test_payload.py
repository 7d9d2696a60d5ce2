"""Payloads: every fault at once, each with its line; and nothing but plain data."""

import pytest

from router.errors import UserError
from router.model import payload
from router.model.node import Gpus, Platform
from router.model.payload import Output, Payload, Requests, Split
from router.model.query import Condition, Operator, Place, Reach, Search

WHOLE = """\
name: zmumu
executable: analyse.py
arguments: ["--bins", "60", "{{7*7}}", "$ENV(HOME)"]
environment: {B: "2", A: "x; y=\\"1\\""}
files: [cuts.json, lumi.txt]
input: {dataset: /demo/zmumu}
split: {by: events, target: 500}
outputs:
  - {name: hist.root, merge: auto}
  - {name: tree.root}
requests:
  {cpus: 2, memory: 1.5 GB, disk: 500 MB, walltime: 10 min, gpus: 2, gpu_memory: 16 GB, gpu_capability: 7.5,
   arch: X86_64-v3, software: [root-6.30, /cvmfs/a.b.ch]}
container: docker://rootproject/root:6.30
sites: {allow: [SITE_A, SITE_B], block: [SITE_C]}
group: higgs.zz
"""


def test_a_whole_payload_is_read_as_it_is_written():
    assert payload.parse(WHOLE) == Payload(
        name="zmumu",
        executable="analyse.py",
        arguments=("--bins", "60", "{{7*7}}", "$ENV(HOME)"),
        environment=(("A", 'x; y="1"'), ("B", "2")),
        files=("cuts.json", "lumi.txt"),
        dataset="/demo/zmumu",
        split=Split("events", 500),
        outputs=(Output("hist.root", merge=True), Output("tree.root")),
        container="docker://rootproject/root:6.30",
        requests=Requests(
            **{"cpus": 2, "memory_mb": 1536, "disk_mb": 500, "walltime_s": 600},
            gpus=Gpus(2, 16_384, 7.5),
            platform=Platform("x86_64-v3", software=("/cvmfs/a.b.ch", "root-6.30"), images=("docker",)),
        ),
        allow=("SITE_A", "SITE_B"),
        block=("SITE_C",),
        group="higgs.zz",
    )


def test_the_shortest_payload_has_the_defaults():
    assert payload.parse("name: a\nexecutable: run.sh\n") == Payload("a", "run.sh")


def test_every_fault_is_told_at_once_each_with_its_line_in_order():
    text = """\
name: "a b"
arguments: [--bins, "x\\ny"]
environment: {1X: a}
jobs: 0
split: {by: event, target: -3}
outputs: [{name: ../x}, {nam: y}]
requests: {cpus: many, memory: 500, walltime: 3 weeks}
sites: {allow: [A], block: [A]}
executabel: run.sh
"""
    with pytest.raises(UserError) as caught:
        payload.parse(text, "my.yaml")
    lines = str(caught.value).splitlines()
    assert lines[0] == "my.yaml has 16 fault(s):"
    assert [line.strip().split(": ")[:2] for line in lines[1:]] == [
        ["line 1", "executable"],
        ["line 1", "name"],
        ["line 2", "arguments"],
        ["line 3", "environment"],
        ["line 4", "jobs"],
        ["line 5", "split"],
        ["line 5", "split.by"],
        ["line 5", "split.target"],
        ["line 6", "outputs[0].name"],
        ["line 6", "outputs[1].nam"],
        ["line 6", "outputs[1].name"],
        ["line 7", "requests.cpus"],
        ["line 7", "requests.memory"],
        ["line 7", "requests.walltime"],
        ["line 8", "sites"],
        ["line 9", "executabel"],
    ]


def fault(text: str) -> str:
    with pytest.raises(UserError) as caught:
        payload.parse(text)
    assert caught.value.exit_code == 2
    return str(caught.value)


SHORT = "name: a\nexecutable: run.sh\n"


@pytest.mark.parametrize(
    ("added", "words"),
    [
        ("executabel: x\n", "did you mean 'executable'?"),
        ("split: {by: event}\ninput: {dataset: /a}\n", "did you mean 'events'?"),
        ("requests: {memroy: 1 GB}\n", "did you mean 'memory'?"),
        ("zzz: 1\n", "zzz: is not a known key"),
        ("input: {dataset: /a}\njobs: 3\n", "is for payloads without input"),
        ("split: {by: files}\n", "needs `input: {dataset: …}`"),
        ("outputs: [{name: a.root}, {name: a.root}]\n", "names the same file twice"),
        ("sites: {allow: [A, B], block: [B]}\n", "both allows and blocks B"),
        ("sites: [A]\n", "must be a mapping"),
        ("outputs: [{name: a.root, keep_parts: false}]\n", "it needs `merge: auto`"),
        ("outputs: [{name: a, merge_with: m.py, keep_parts: false}]\n", "whose entries nobody counts"),
        ("outputs: {name: a}\n", "must be a list of mappings"),
        ("arguments: --bins\n", "must be a list of texts"),
        ("arguments: [[a]]\n", "must be a list of texts"),
        ("jobs: [1]\n", "must be a single value"),
        ("[a]: b\n", "a key must be a word"),
        ("executable: other.sh\n", "is given twice"),
    ],
)
def test_a_fault_says_what_to_write_instead(added, words):
    assert words in fault(SHORT + added)


@pytest.mark.parametrize("number", ["1e3", "0o10", "0x10", "1_000", "1.0", "no", "~", "-1", "10001", "9" * 30, "NaN"])
def test_a_number_of_jobs_is_a_plain_whole_number_within_bounds(number):
    assert "line 3: jobs: must be a whole number from 1 to 10,000" in fault(f"{SHORT}jobs: {number}\n")


@pytest.mark.parametrize(
    "quantity", ["500", "1 XB", "-1 GB", "NaN GB", "1e3 MB", "GB", "inf GB", "1 G B", "9" * 20 + " TB"]
)
def test_a_size_has_a_number_and_a_unit(quantity):
    assert "requests.memory: must be a size" in fault(f"{SHORT}requests: {{memory: {quantity}}}\n")


@pytest.mark.parametrize(
    ("written", "mb"), [("1 MB", 1), ("1kB", 1), ("1025 kB", 2), ("0.5 GB", 512), ("2GB", 2048), ("1 TB", 1_048_576)]
)
def test_a_size_is_rounded_up_to_whole_megabytes(written, mb):
    assert payload.parse(f"{SHORT}requests: {{memory: {written}}}\n").requests.memory_mb == mb


@pytest.mark.parametrize(
    ("written", "seconds"), [("90 s", 90), ("1.5 min", 90), ("2h", 7200), ("1 d", 86400), ("0 s", 1)]
)
def test_a_duration_is_read_in_seconds(written, seconds):
    assert payload.parse(f"{SHORT}requests: {{walltime: {written}}}\n").requests.walltime_s == seconds


@pytest.mark.parametrize("word", ["no", "on", "yes", "null", "1e3", "0o10", "2011", "true"])
def test_a_word_that_yaml_would_take_for_something_else_stays_the_word(word):
    read = payload.parse(f"name: {word}\nexecutable: run.sh\nsites: {{allow: [{word}]}}\narguments: [{word}]\n")
    assert (read.name, read.allow, read.arguments) == (word, (word,), (word,))


@pytest.mark.parametrize(
    "line",
    [
        'arguments: ["1\\nqueue 1000"]',
        'arguments: ["x\\ninclude : touch CANARY |"]',
        'arguments: ["\\u2028"]',
        'arguments: ["\\0"]',
        'environment: {A: "x\\ny"}',
        'environment: {"A\\nexecutable": x}',
        'files: ["../x"]',
        "files: [/etc/shadow]",
        'files: ["a, /etc/shadow"]',
        'files: ["file:///etc/shadow"]',
        'outputs: [{name: "a\\nb"}]',
        'sites: {allow: ["A\\\\"]}',
        'sites: {allow: ["A,B"]}',
        'sites: {block: ["A\\" || true || \\""]}',
        'group: "a\\nqueue 1000"',
        'group: "+Owner"',
        'input: {dataset: "/a\\n/b"}',
        'input: {dataset: "/a/../../b"}',
    ],
)
def test_a_value_that_could_become_a_submit_command_is_refused_with_its_field(line):
    assert f"line 3: {line.split(':')[0]}" in fault(f"{SHORT}{line}\n")


def test_a_payload_says_which_of_its_users_tasks_goes_first_and_whether_its_jobs_may_be_moved():
    found = payload.parse("name: a\nexecutable: a.sh\npriority: -5\nmove: false\n")
    assert (found.priority, found.move) == (-5, False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("requests: {gpu_memory: 16 GB}\n", "requests.gpus: must say how many"),
        ("requests: {arch: sparc}\n", "requests.arch: 'sparc' is not allowed: x86_64, x86_64-v2"),
        ("requests: {os: Linux}\n", "requests.os: 'linux' is not allowed: a name and its main version"),
        ("requests: {software: ['a,b']}\n", "requests.software: 'a,b' is not allowed"),
        ("container: debian\n", "container: 'debian' is not allowed: it looks like docker://debian:12"),
        ("container: docker://a\nrequests: {os: el9}\n", "container: brings its own system"),
    ],
)
def test_what_no_node_can_have_is_a_fault(text, words):
    assert words in fault(SHORT + text)


@pytest.mark.parametrize(
    ("written", "read", "kind"),
    [
        ("docker://a/b:1", "docker://a/b:1", "docker"),
        ("/cvmfs/a/b.sif", "/cvmfs/a/b.sif", "sif"),
        ("/cvmfs/a/b", "/cvmfs/a/b/", "directory"),
        ("/cvmfs/a/b//", "/cvmfs/a/b/", "directory"),
    ],
)
def test_an_image_is_named_as_htcondor_knows_its_kind(written, read, kind):
    found = payload.parse(f"{SHORT}container: {written}\n")
    assert (found.container, found.requests.platform.images) == (read, (kind,))


HEAD = "name: a\nexecutable: run.sh\n"
RUN = Condition("run", Operator.AT_LEAST, (148029,))


def test_files_and_events_of_a_dataset_are_chosen_in_one_query():
    found = payload.parse(HEAD + "input: {dataset: /demo, where: 'run >= 148029 and event.n = 2'}\n")
    assert found.dataset == "/demo"
    assert found.search == Search(Place("/demo", Reach.DATASET), RUN)
    assert found.selection == "n == 2"


def test_events_alone_leave_the_dataset_whole():
    found = payload.parse(HEAD + "input: {dataset: /demo, where: event.n = 2}\n")
    assert (found.search, found.selection, found.reads) == (None, "n == 2", True)


def test_a_query_stands_for_a_dataset():
    found = payload.parse(HEAD + "input: {query: '/cms//: run >= 148029'}\nsplit: {by: files, target: 2}\n")
    assert (found.dataset, found.search, found.reads) == ("", Search(Place("/cms"), RUN), True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{dataset: /demo, where: run == 5}", "line 3: input.where: column 6: '=' cannot stand here"),
        ("{dataset: /demo, where: '/cms//: run = 5'}", "without a place before them"),
        ("{dataset: /demo, where: ''}", "line 3: input.where: column 1: the query ends too early"),
        ("{dataset: /demo, where: run = 5 or event.n = 2}", "join the two with `and` only"),
        ("{dataset: /demo, where: event.n like 'x'}", "is compared with numbers"),
        ("{query: run = 5, dataset: /demo}", "line 3: input.dataset: cannot stand beside `query`"),
        ("{query: /cms//, where: run = 5}", "line 3: input.where: cannot stand beside `query`"),
        ("{where: run = 5}", "line 3: input.dataset: is missing"),
        ("{query: run = 5}\njobs: 3", "line 4: jobs: is for payloads without input"),
    ],
)
def test_an_input_that_cannot_be_chosen_is_told_with_its_line(text, words):
    with pytest.raises(UserError) as refused:
        payload.parse(f"{HEAD}input: {text}\n")
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("{by: size, target: 2 GB}", Split("size", 2 * 1024**3)),
        ("{by: blocks}", Split("blocks", 1)),
        ("{by: lumis, target: 20, total: 0.1}", Split("lumis", 20, 0.1)),
        ("{by: lumi-events, target: 5000, total: 100000}", Split("lumi-events", 5000, 100_000)),
    ],
)
def test_a_split_counts_in_the_unit_of_its_kind(text, split):
    assert payload.parse(f"{HEAD}input: {{dataset: /a}}\nsplit: {text}\n").split == split


@pytest.mark.parametrize(
    ("added", "words"),
    [
        ("split: {by: size}", "line 4: split.target: must say how much a job reads"),
        ("split: {by: size, target: 7}", "line 4: split.target: must be a size such as 500 MB"),
        ("split: {by: size, target: 1 GB, total: 3}", "line 4: split.total: must be a fraction below 1"),
        ("split: {by: files, total: 1.5}", "line 4: split.total: must be a whole number, or a fraction below 1"),
        ("split: {by: files, total: 0}", "line 4: split.total: must be a number above 0"),
        ("split: {by: events}", "line 4: split: by events cuts luminosity sections"),
        ("split: {by: lumi}", "did you mean 'lumis'?"),
    ],
)
def test_a_split_that_means_nothing_is_told_with_its_line(added, words):
    with pytest.raises(UserError) as refused:
        payload.parse(f"{HEAD}input: {{dataset: /a, lumis: good.json}}\n{added}\n")
    assert words in str(refused.value)


def test_an_automatic_split_says_how_long_jobs_may_take():
    found = payload.parse(HEAD + "input: {dataset: /a}\nsplit: {by: auto, target: 3 h}\nrequests: {cpus: 2}\n")
    assert (found.split, found.requests.walltime_s) == (Split("auto", 10_800), 14_400)
    found = payload.parse(HEAD + "input: {dataset: /a}\nsplit: {by: auto}\n")
    assert (found.split.target, found.requests.walltime_s) == (28_800, 32_400)


@pytest.mark.parametrize(
    ("added", "words"),
    [
        ("requests: {walltime: 8 h}", "line 5: requests.walltime: cannot stand beside `split: {by: auto}`"),
        ("sweep: {m: [1, 2]}", "line 4: split: by auto measures one program"),
    ],
)
def test_what_cannot_stand_beside_an_automatic_split_is_told(added, words):
    with pytest.raises(UserError) as refused:
        payload.parse(f"{HEAD}input: {{dataset: /a}}\nsplit: {{by: auto}}\n{added}\n")
    assert words in str(refused.value)


@pytest.mark.parametrize("service", ["a b", "../x", "a,b", "1a", "a*b", "a" * 65, "a/b"])
def test_a_token_is_of_a_service_by_its_name(service):
    assert payload.parse(f"{WHOLE}token: storage\n").token == "storage"  # noqa: S105 - a service
    with pytest.raises(UserError, match="line 17: token"):
        payload.parse(f"{WHOLE}token: {service!r}\n")
