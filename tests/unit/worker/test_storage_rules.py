"""The trivial file catalogue: which physical name a site's rules give a logical one."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.worker.wrapper.description import logical_name
from router.worker.wrapper.reading import local_path
from router.worker.wrapper.storage_rules import destinations, translate, volume_rules

ANY_NAME = st.text(st.sampled_from("/.ab%~ \\\n\0$é-"), max_size=12).map(lambda tail: "/" + tail)


def accepted(name):
    try:
        return logical_name(name) == name
    except ValueError:
        return False


PART = st.text(st.sampled_from(".ab~ $é-"), min_size=1, max_size=4).filter(lambda part: part not in (".", ".."))
LOGICAL_NAME = st.lists(PART, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))


def a_rule(lfn, pfn, **chain):
    return {"lfn": lfn, "pfn": pfn, **chain}


@given(LOGICAL_NAME)
def test_an_accepted_name_never_leaves_the_storage(lfn):
    [(_, _, pfn)] = destinations(lfn, "A", [a_volume(prefix="file:///srv/se")])
    assert str(local_path(pfn)) == "/srv/se" + lfn == os.path.normpath("/srv/se" + lfn)


@given(ANY_NAME)
def test_a_name_with_a_step_up_an_empty_step_or_a_control_character_is_refused(lfn):
    parts = lfn[1:].split("/")
    harmful = any(part in ("", ".", "..") for part in parts) or re.search(r"[\\%\n\0]", lfn)
    assert accepted(lfn) == (not harmful)


@given(LOGICAL_NAME, LOGICAL_NAME)
def test_a_rule_must_match_the_whole_name(pattern, lfn):
    rules = {"file": [a_rule(re.escape(pattern), "file:///x")]}
    assert translate(lfn, rules, "file") == ("file:///x" if lfn == pattern else None)


@given(LOGICAL_NAME)
def test_the_first_rule_that_matches_wins(lfn):
    rules = {"file": [a_rule("/ab/(.*)", "file:///ab/$1"), a_rule("(.*)", "file:///any$1")]}
    whole = f"file://{lfn}" if lfn.startswith("/ab/") else f"file:///any{lfn}"
    assert translate(lfn, rules, "file") == whole


@given(LOGICAL_NAME)
def test_a_chained_protocol_is_applied_first(lfn):
    chained = {"direct": [a_rule("(.*)", "/pool$1")], "file": [a_rule("(.*)", "file://se$1", chain="direct")]}
    step = translate(lfn, {"direct": chained["direct"]}, "direct")
    assert translate(lfn, chained, "file") == translate(step, {"file": [a_rule("(.*)", "file://se$1")]}, "file")


@pytest.mark.parametrize(
    ("pattern", "pfn"),
    [
        ("/store/(.*)", None),  # matches the name, not what the chain makes of it
        ("/pool/(.*)", None),  # matches what the chain makes of the name, not the name
        ("/(?:store|pool)/(.*)", "file:///f"),
    ],
)
def test_a_rule_with_a_chain_must_match_before_and_after_it(pattern, pfn):
    rules = {"direct": [a_rule("/store/(.*)", "/pool/$1")], "file": [a_rule(pattern, "file:///$1", chain="direct")]}
    assert translate("/store/f", rules, "file") == pfn


def test_a_chain_that_bites_its_tail_is_an_error_in_words():
    rules = {"file": [a_rule("(.*)", "$1", chain="file")]}
    with pytest.raises(ValueError, match="the chain of protocol 'file' never ends"):
        translate("/f", rules, "file")


def test_groups_may_be_reordered_repeated_and_empty_and_backslashes_stay():
    rules = {"file": [a_rule("/(a)/(b)(c)?", "file:///$2/$1/$2\\1$3")]}
    assert translate("/a/b", rules, "file") == "file:///b/a/b\\1"


def a_volume(site="A", prefix="file:///a", protocol="file", access="global-rw", **rest):
    entry = {"protocol": protocol, "access": access, "prefix": prefix}
    return {"site": site, "volume": "v", "protocols": [entry], "type": "DISK", "rse": f"{site}_DISK", **rest}


def test_outputs_go_only_to_the_own_sites_disk_that_is_written_as_files():
    storage = [
        a_volume(site="B"),
        a_volume(type="TAPE", rse="A_TAPE"),
        a_volume(access="global-ro", rse="A_READONLY"),
        a_volume(protocol="root", rse="A_XROOTD"),
        a_volume(prefix="file:///first/", rse="A_FIRST"),
        a_volume(prefix="file:///second", rse="A_SECOND"),
    ]
    assert list(destinations("/f", "A", storage)) == [
        ("A_FIRST", "A", "file:///first/f"),
        ("A_SECOND", "A", "file:///second/f"),
    ]


def test_the_storage_of_other_sites_comes_after_the_own_and_only_where_the_site_falls_back_to_it():
    storage = [
        a_volume(site="B", prefix="file:///b", fallback_of=["A"]),
        a_volume(site="C", prefix="file:///c", fallback_of=["D"]),
        a_volume(),
    ]
    assert list(destinations("/f", "A", storage)) == [("A_DISK", "A", "file:///a/f"), ("B_DISK", "B", "file:///b/f")]


def test_rules_and_prefixes_of_one_protocol_keep_their_order():
    volume = a_volume()
    volume["protocols"].append({"protocol": "file", "rules": [a_rule("/(.*)", "file:///late/$1")]})
    assert volume_rules(volume)["file"] == [a_rule("/?(.*)", "file:///a/$1"), a_rule("/(.*)", "file:///late/$1")]


def test_a_file_url_is_decoded_once():
    assert local_path("file:///a%20b/c%2520d") == local_path("file://localhost/a b/c%2520d") == Path("/a b/c%20d")
