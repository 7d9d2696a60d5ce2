"""What HTCondor's words for a failure mean to whoever asked."""

import pytest

from router.pool import child


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Failed to receive history ad.", "unreachable"),
        ("Failed to fetch ads from: <127.0.0.1:9618>", "unreachable"),
        ("The schedd rejected our session", "unreachable"),
        ("User alice is not authorized to write", "denied"),
        ("Failed to parse the constraint", "refused"),
    ],
)
def test_a_connection_that_breaks_is_no_refusal(words: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "missing_token", lambda: "")
    assert child._told(words)["kind"] == kind
