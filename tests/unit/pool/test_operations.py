"""What the child process does with the bindings, as far as no schedd is needed."""

import pytest

from router.pool import operations


@pytest.mark.parametrize(
    "attribute", ["Cmd", "Owner", "JobStatus", "Env", "AccountingGroup", "desired_sites", "RouterTask"]
)
def test_no_attribute_is_written_but_the_routers_decision(attribute: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(operations, "_edit_listed", lambda *told: asked.append(told) or True)
    good = ([(1, 0, 0)], "DESIRED_Sites", '"A"')
    assert operations.edit_jobs([good]) == [True]
    asked.clear()
    with pytest.raises(PermissionError, match=attribute):
        operations.edit_jobs([good, ([(1, 0, 0)], attribute, "1")])
    assert asked == [], "the schedd heard of it"


class Submitted:
    """A schedd that keeps what it is given."""

    def submit(self, description):
        self.given = dict(description)
        return self

    def cluster(self) -> int:
        return 7


@pytest.mark.parametrize(("version", "common"), [("25.14.1", True), ("26.0.0", True), ("25.0.5", False)])
def test_a_schedd_that_knows_no_common_files_is_told_of_ordinary_ones(version, common, monkeypatch):
    schedd = Submitted()
    monkeypatch.setattr(operations, "_schedd", lambda: schedd)
    monkeypatch.setattr(operations, "_own_ad", lambda: {"CondorVersion": f"$CondorVersion: {version} 2026-10-01 $"})
    text = "executable = a\ntransfer_input_files = code/a.py\ntransfer_common_input = code/lib.tar.gz\n"
    assert operations.submit(text, []) == 7
    assert schedd.given["transfer_common_input"] == ("code/lib.tar.gz" if common else "")
    assert schedd.given["transfer_input_files"] == "code/a.py" + ("" if common else ", code/lib.tar.gz")
