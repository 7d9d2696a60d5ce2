"""What a notebook shows: every name, argument and state is text, whoever wrote it."""

from html.parser import HTMLParser

import pytest

from router.analysis import Analysis, Session
from router.model import spec
from router.render import notebook

EVIL = "</pre><script>alert(1)</script><img src=x onerror='x'>\"&\u202e\u2066"


class Tags(HTMLParser):
    """Every tag of a page with the number of its attributes, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: set[tuple[str, int]] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add((tag, len(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.attack("A29")
def test_the_document_of_an_analysis_is_text(tmp_path):
    written = spec.named("zmumu").but(executable="analyse.py", arguments=[EVIL], environment={"A": EVIL})
    shown = Tags(Analysis(Session(tmp_path), written)._repr_mimebundle_()["text/html"])
    assert shown.seen == {("pre", 0)}
    assert "<script>" in shown.text
    assert "\u202e" not in shown.text and "\u2066" not in shown.text


@pytest.mark.attack("A29")
def test_the_cells_of_a_table_are_text():
    shown = Tags(notebook.table(EVIL, (EVIL,), [(EVIL, 1)]))
    assert shown.seen == {(name, 0) for name in ("table", "caption", "thead", "tr", "th", "tbody", "td")}
    assert shown.text.count("<script>") == 3
    assert "\u202e" not in shown.text
