"""What the doctor says of an installation."""

from dataclasses import replace

import pytest

from router.decide import advisories
from router.decide.checkup import CHECKS, DAY_S, HOLDS, IS, RIGHTS, diagnose
from router.model.checkup import Facts, Finding, Health, TokenFact

NOW = 1_800_000_000.0
SETTINGS = {
    **{name: " ".join(words) for name, words in HOLDS.items()},
    **IS,
    "SEC_DEFAULT_AUTHENTICATION_METHODS": "IDTOKENS, SCITOKENS",
    "START_VANILLA_UNIVERSE": "stringListIMember(SLOT.GLIDEIN_Site, JOB.DESIRED_Sites)",
}
SOUND = Facts(
    now=NOW,
    schedd_version="$CondorVersion: 25.14.1 2026-10-16 $",
    bindings_version="$CondorVersion: 25.14.1 2026-09-24 $",
    schedd_time=NOW - 5,
    rights=RIGHTS,
    settings=SETTINGS,
    tokens=(TokenFact("/etc/t", 0o600, "router@vo", NOW + 30 * DAY_S),),
    free_mb={"/srv": 50_000},
    ports={"router": ""},
)


def token(expires: float | None) -> Facts:
    return replace(SOUND, tokens=(TokenFact("/etc/t", 0o600, "router@vo", expires),))


def bad(facts: Facts) -> list[Finding]:
    return [each for each in diagnose(facts) if each.health is not Health.GOOD]


def test_a_sound_installation_is_said_to_be_so_check_by_check() -> None:
    assert [(each.check, each.health) for each in diagnose(SOUND)] == [(name, Health.GOOD) for name in CHECKS]


def changed(**settings: str) -> Facts:
    return replace(SOUND, settings={**SETTINGS, **settings})


@pytest.mark.parametrize(
    ("facts", "check", "health", "words"),
    [
        (replace(SOUND, schedd_version="25.0.11"), "versions", Health.BAD, "HTCONDOR-2026-0001"),
        (token(NOW - 3 * DAY_S), "tokens", Health.BAD, "expired 3 days ago"),
        (token(NOW + DAY_S), "tokens", Health.DOUBTFUL, "expires in 24 hours"),
        (token(None), "tokens", Health.DOUBTFUL, "never expires"),
        (replace(SOUND, exposed=("/etc/t",)), "tokens", Health.BAD, "others may read /etc/t"),
        (replace(SOUND, rights={**RIGHTS, "WRITE": False}), "rights", Health.BAD, "lacks WRITE"),
        (replace(SOUND, rights={**RIGHTS, "DAEMON": True}), "rights", Health.DOUBTFUL, "has DAEMON"),
        (replace(SOUND, rights=None), "rights", Health.UNKNOWN, "cannot act as the router"),
        (replace(SOUND, schedd_time=NOW + 61), "clock", Health.BAD, "61 s ahead"),
        (replace(SOUND, schedd_time=NOW - 1300), "clock", Health.DOUBTFUL, "last spoke 1300 s ago"),
        (replace(SOUND, free_mb={"/srv": 99}), "disk", Health.BAD, "99 MB are left for /srv"),
        (replace(SOUND, free_mb={"/srv": 999}), "disk", Health.DOUBTFUL, "999 MB"),
        (replace(SOUND, ports={"router": "127.0.0.1:9: refused"}), "ports", Health.DOUBTFUL, "refused"),
        (changed(IMMUTABLE_JOB_ATTRS="cmd acctgroup AccountingGroup Iwd"), "settings", Health.BAD, "Arguments, Env"),
        (changed(JOB_TRANSFORM_NAMES=""), "settings", Health.BAD, "lacks GlideroutePrepare, GlideroutePayer"),
        (changed(SEC_DEFAULT_AUTHENTICATION=""), "settings", Health.BAD, "is not set, not REQUIRED"),
        (changed(MAX_CONCURRENT_UPLOADS_PER_USER="20"), "settings", Health.BAD, "is 20, not 0"),
        (changed(QUEUE_ALL_USERS_TRUSTED="true"), "settings", Health.BAD, "whom they say"),
        (changed(SEC_DEFAULT_AUTHENTICATION_METHODS="FS,IDTOKENS"), "settings", Health.DOUBTFUL, "takes FS"),
        (changed(START_VANILLA_UNIVERSE="True"), "settings", Health.BAD, "START_VANILLA_UNIVERSE"),
    ],
)
def test_each_fault_is_named_and_told_how_to_mend(facts: Facts, check: str, health: Health, words: str) -> None:
    [found] = bad(facts)
    assert (found.check, found.health) == (check, health)
    assert words in found.words
    assert found.fix or health is Health.UNKNOWN


def test_a_series_that_gets_no_fixes_is_told_beside_its_weaknesses() -> None:
    found = bad(replace(SOUND, bindings_version="24.0.22"))
    assert found[-1].health is Health.DOUBTFUL
    assert "the bindings, HTCondor 24.0.22: this series gets no fixes any more" in found[-1].words


def test_what_a_silent_schedd_did_not_say_is_not_called_good() -> None:
    facts = Facts(now=NOW, unreachable="HTCondor cannot be reached", free_mb={})
    found = {each.check: each.health for each in diagnose(facts)}
    assert found["schedd"] is Health.BAD
    assert {found[each] for each in ("versions", "settings", "rights", "clock")} == {Health.UNKNOWN}


def test_the_tokens_of_one_persons_pool_may_last_for_ever() -> None:
    assert bad(replace(token(None), one_persons=True)) == []


@pytest.mark.parametrize(
    ("version", "names"),
    [
        ((23, 0, 21), ["2025-0001", "2025-0002", "2026-0001", "2026-0002"]),
        ((23, 0, 22), ["2025-0002", "2026-0001", "2026-0002"]),
        ((24, 0, 21), ["2026-0001", "2026-0002"]),
        ((24, 0, 22), ["2026-0002"]),
        ((24, 12, 22), ["2026-0002"]),
        ((24, 12, 9), ["2025-0002", "2026-0001", "2026-0002"]),
        ((25, 0, 11), ["2026-0001"]),
        ((25, 0, 12), []),
        ((25, 10, 2), ["2026-0001", "2026-0002"]),
        ((25, 11, 1), ["2026-0002"]),
        ((25, 13, 3), []),
        ((26, 0, 0), []),
    ],
)
def test_an_advisory_concerns_the_versions_before_its_fix(version: advisories.Version, names: list[str]) -> None:
    assert [each.name.removeprefix("HTCONDOR-") for each in advisories.known(version)] == names
