"""`glideroute doctor` on a real pool."""

import pytest
from organisation import Organisation

pytestmark = pytest.mark.pool


def test_the_doctor_finds_the_shipped_configuration_sound_and_names_what_is_not(organisation: Organisation) -> None:
    answer = organisation.run("doctor", "--json")
    health = {each["check"]: each["health"] for each in answer.json}
    checks = ("schedd", "versions", "settings", "tokens", "rights", "clock")
    assert {each: health[each] for each in checks} == dict.fromkeys(checks, "good")
    key = organisation.live.pool.home / "keys/POOL"
    key.chmod(0o640)
    try:
        answer = organisation.run("doctor")
    finally:
        key.chmod(0o600)
    assert answer.code == 1
    assert f"others may read {key}" in answer.out
    assert "chmod go=" in answer.out
