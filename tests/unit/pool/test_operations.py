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
