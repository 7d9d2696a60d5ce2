"""The tests of attacks can fail: each defence of a sample is taken away, and its test must notice."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import test_classad_attacks as classads
import test_configuration_attacks as configuration
import test_document_attacks as documents
import test_glidein_attacks as glideins
import test_isolation as isolation
import test_secret_attacks as secrets
import test_submit_attacks as submits

from router import redact, settings
from router.model import document, names, share_document
from router.pool import ads, condor, operations
from router.render import encode, jdl, negotiator


def unchecked(text: object) -> str:
    return str(text)


def bare(text: str) -> encode.Encoded:
    return encode.Encoded(f'"{text}"')


def fails(test: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    """The test notices: it does not pass."""
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test(*arguments, **named)


def trapped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SEEDED_SECRET", "canary-5f1d")
    return "canary-5f1d"


def test_a_payload_that_is_not_checked_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "plain", unchecked)
    fails(submits.test_a_control_character_in_any_field_is_refused_with_the_field, "arguments")
    monkeypatch.setattr(names, "file_name", unchecked)
    fails(submits.test_no_file_from_elsewhere_is_sent_with_a_job, "/etc/shadow")


@pytest.mark.parametrize("trick", ["$ENV(SEEDED_SECRET)", "1\nqueue 1000", "x\nexecutable = /bin/false"])
def test_a_description_that_is_not_encoded_is_noticed(
    trick: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    jdl.templates.cache_clear()
    monkeypatch.setattr(jdl, "submit_value", unchecked)
    monkeypatch.setattr(jdl, "classad_string", bare)
    try:
        fails(
            submits.test_a_trick_that_slipped_past_every_check_of_payloads_still_makes_no_command,
            trick,
            trapped(tmp_path, monkeypatch),
        )
    finally:
        jdl.templates.cache_clear()


def test_a_constraint_that_is_not_quoted_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condor, "quoted", lambda text: f'"{text}"')
    fails(classads.test_a_name_that_is_an_expression_matches_only_what_is_called_so, 'x" || true || "')


def test_site_names_that_are_not_checked_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ads, "word", lambda row, name: str(row.get(name)))
    fails(classads.test_a_glidein_that_calls_its_site_no_name_counts_for_nothing, "A,B")


def test_a_router_that_writes_any_attribute_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "WRITABLE", {"Cmd", "DESIRED_Sites"})
    sent: list[tuple[str, str]] = []
    monkeypatch.setattr(operations, "_edit_listed", lambda runs, attribute, value: sent.append((attribute, value)))
    fails(classads.test_an_attribute_that_no_decision_writes_never_reaches_the_schedd, "Cmd", sent)


def test_documents_without_bounds_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MAX_BYTES", 10**9)
    monkeypatch.setattr(document, "MAX_EVENTS", 10**9)
    fails(documents.test_a_document_that_swells_is_refused_in_few_words_at_once, "a hundred thousand variables")


def test_settings_of_a_stranger_are_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(settings, "refuse_exposed", unchecked)
    fails(documents.test_settings_that_anyone_may_write_are_not_read, tmp_path)


def test_a_policy_that_is_not_checked_or_encoded_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(share_document, "expression", unchecked)
    fails(configuration.test_an_expression_in_a_policy_that_is_configuration_is_refused, "$(EVIL)")
    monkeypatch.setattr(negotiator, "condor_value", unchecked)
    secret = trapped(tmp_path, monkeypatch)
    fails(configuration.test_htcondor_reads_exactly_the_settings_of_a_policy_full_of_tricks, tmp_path / "..", secret)


def test_a_log_that_hides_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "redacted", unchecked)
    fails(secrets.test_a_log_hides_secrets_of_messages_arguments_and_tracebacks, secrets.JWT)


WEAKENED = {
    "text=${text%": "",
    'printf \'"%s"\' "${text//': 'printf \'"%s"\' "$text" #',
    'text=$(classad_text "$text")': 'text="\\"$text\\""',
}


@pytest.mark.parametrize("defence", WEAKENED)
def test_a_script_that_does_not_encode_is_noticed(
    defence: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = (glideins.SCRIPTS / "glidein_condor.bash").read_text()
    lines = [WEAKENED[defence] if line.strip().startswith(defence) else line for line in text.splitlines()]
    weak = [line.replace(defence, WEAKENED[defence]) for line in lines]
    assert weak != text.splitlines()
    (tmp_path / "glidein_condor.bash").write_text("\n".join(weak) + "\n")
    monkeypatch.setattr(glideins, "SCRIPTS", tmp_path)
    test: Any = glideins.test_any_text_becomes_one_string_of_a_setting_that_reads_the_same
    fails(test.hypothesis.inner_test, [*glideins.SHELL_TRICKS, "a\\", 'a"b'])


def test_a_wrapper_that_hides_no_tokens_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = isolation.WRAPPER.read_text()
    assert "for each in tokens log" in text
    scripts = tmp_path / "scripts"
    shutil.copytree(isolation.WRAPPER.parent, scripts)
    (scripts / "job_wrapper.sh").write_text(text.replace("for each in tokens log", "for each in log"))
    monkeypatch.setattr(isolation, "WRAPPER", scripts / "job_wrapper.sh")
    work = tmp_path / "work"
    for part in ("main", "tokens", "run", "execute/dir_1"):
        (work / part).mkdir(parents=True)
    (work / "tokens/glidein").write_text("canary")
    fails(isolation.test_a_job_reads_no_token_no_key_and_no_other_jobs_files, work, "cat ../../tokens/glidein")
