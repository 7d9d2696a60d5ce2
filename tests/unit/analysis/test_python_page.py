"""What docs/python.md shows is what happens."""

import doctest
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "docs" / "python.md"
DOCUMENT = """\
name: zmumu
executable: analyse.py
arguments: ["--bins", "60"]
files: [cuts.json]
input: {dataset: /demo/zmumu}
split: {by: events, target: 60}
outputs: [{name: counts.csv, merge: auto}]
requests: {memory: 500 MB, walltime: 10 min}
"""


def test_every_example_of_the_page_runs_as_it_is_shown(session, world, here):
    (here / "analysis.yaml").write_text(DOCUMENT)
    ran: list[str] = []

    class Runner(doctest.DocTestRunner):
        """Jobs of the task run between its submission and the first results."""

        def report_start(self, out, test, example):
            if "task.results" in example.source and not ran:
                world.run(1)
            if "task.results" in example.source:
                ran.append(example.source)

    text = "\n".join(line for line in PAGE.read_text().splitlines() if not line.startswith("```"))
    page = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    told: list[str] = []
    found = Runner(optionflags=doctest.ELLIPSIS).run(page, out=told.append)
    assert found.failed == 0, "".join(told)
    assert len(ran) == 3
