"""storage.xml and storage.json, rule by rule as CMSSW reads them; and the wrapper reads them alike."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.model.storage_rules import Rule, from_json, from_xml, lfn, pfn, to_json
from router.worker.wrapper.storage_rules import translate, volume_rules

XML = """
<storage-mapping>
  <!-- a comment -->
  <lfn-to-pfn protocol="direct" destination-match=".*" path-match="/+store/(.*)" result="/pnfs/site/cms/store/$1"/>
  <lfn-to-pfn protocol="direct" path-match="/+store/temp/(.*)" result="/never/$1"/>
  <lfn-to-pfn protocol="srmv2" chain="direct" path-match="(.*)" result="srm://se.site:8443/srm?SFN=$1"/>
  <lfn-to-pfn protocol="tape" destination-match="vault" path-match="(.*)" result="/tape$1"/>
  <pfn-to-lfn protocol="direct" path-match="/pnfs/site/cms(/store/.*)" result="$1"/>
  <pfn-to-lfn protocol="srmv2" chain="direct" path-match=".*SFN=(.*)" result="$1"/>
</storage-mapping>
"""
FORWARD, BACKWARD = from_xml(XML)


@pytest.mark.parametrize(
    ("name", "protocols", "found"),
    [
        ("/store/a", ["direct"], "/pnfs/site/cms/store/a"),
        ("//store/a", ["direct"], "/pnfs/site/cms/store/a"),
        ("/store/temp/a", ["direct"], "/pnfs/site/cms/store/temp/a"),
        ("/x/store/a", ["direct"], ""),
        ("/store/a", ["none", "srmv2"], "srm://se.site:8443/srm?SFN=/pnfs/site/cms/store/a"),
        ("/data/a", ["srmv2"], ""),
        ("/store/a", ["tape"], ""),
        ("/store/a", ["srmv2", "direct"], "srm://se.site:8443/srm?SFN=/pnfs/site/cms/store/a"),
    ],
)
def test_the_first_matching_rule_of_the_first_protocol_names_the_file(name, protocols, found):
    assert pfn(name, FORWARD, protocols) == found


def test_a_rule_for_another_destination_counts_only_there():
    assert pfn("/store/a", from_xml(XML, "vault")[0], ["tape"]) == "/tape/store/a"


def test_a_physical_name_is_led_back_by_the_own_rule_first():
    assert lfn("srm://se.site:8443/srm?SFN=/pnfs/site/cms/store/a", BACKWARD, "srmv2") == "/store/a"
    assert lfn("/elsewhere/a", BACKWARD, "direct") == ""


def test_the_name_that_was_asked_must_match_although_groups_are_of_the_chained_one():
    rules = {"direct": (Rule("/store/(.*)", "/pool/$1"),), "root": (Rule("/store/(.*)", "root://se//$1", "direct"),)}
    assert pfn("/store/a", rules, ["root"]) == ""


def test_a_chain_without_end_is_refused():
    rules = {"a": (Rule("(.*)", "$1", "b"),), "b": (Rule("(.*)", "$1", "a"),)}
    with pytest.raises(ValueError, match="never ends"):
        pfn("/x", rules, ["a"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<storage-mapping>",
        "<other/>",
        '<!DOCTYPE x [<!ENTITY a "aa">]><storage-mapping/>',
        '<storage-mapping><lfn-to-pfn protocol="a" result="b"/></storage-mapping>',
        '<storage-mapping><lfn-to-pfn protocol="a" path-match="(" result="b"/></storage-mapping>',
        '<storage-mapping><lfn-to-pfn protocol="a" path-match="(.*)" result="$2"/></storage-mapping>',
    ],
)
def test_what_is_no_storage_xml_is_refused(text):
    with pytest.raises(ValueError, match=r"\w"):
        from_xml(text)


@pytest.mark.parametrize(
    "text", ["", "{}}", "[1]", '[{"site": "A"}]', '[{"site": "A", "volume": "V", "protocols": 3}]']
)
def test_what_is_no_storage_json_is_refused(text):
    with pytest.raises(ValueError, match=r"\w"):
        from_json(text)


def test_a_prefix_is_the_rule_it_stands_for():
    told = [{"site": "A", "volume": "V", "protocols": [{"protocol": "file", "access": "global-rw", "prefix": "/se/"}]}]
    [volume] = from_json(json.dumps(told))
    assert (volume.rse, volume.kind, volume.access) == ("V", "DISK", (("file", "global-rw"),))
    assert pfn("/store/a", volume.rules, ["file"]) == pfn("store/a", volume.rules, ["file"]) == "/se/store/a"


def test_volumes_that_are_written_down_and_read_are_the_same():
    volumes = from_json(json.dumps(to_json(from_json(json.dumps(A_SITE)))))
    assert volumes == from_json(json.dumps(A_SITE))


A_SITE = [
    {
        "site": "A",
        "volume": "V",
        "rse": "R",
        "protocols": [
            {"protocol": "direct", "access": "site-ro", "rules": [{"lfn": "/(store/.*)", "pfn": "/pool/$1"}]},
            {"protocol": "file", "access": "global-rw", "rules": [{"lfn": "(.*)", "pfn": "/x$1", "chain": "direct"}]},
        ],
    }
]
PATTERN = st.sampled_from(["(.*)", "/(.*)", "/a/(.*)", "(/pool)?(.*)", "/+store/(.*)"])
RULE = st.tuples(PATTERN, st.sampled_from(["/x/$1", "$1", "/pool/$1"]), st.sampled_from(["", "p", "q"]))


@given(st.lists(RULE, max_size=4), st.lists(RULE, max_size=4), st.text("/ab.", max_size=6))
def test_the_wrapper_and_the_router_name_files_alike(of_p, of_q, name):
    told = [
        {"protocol": protocol, "rules": [{"lfn": a, "pfn": b} | ({"chain": c} if c else {}) for a, b, c in rules]}
        for protocol, rules in (("p", of_p), ("q", of_q))
    ]
    volume = {"site": "A", "volume": "V", "protocols": told}
    [mine] = from_json(json.dumps([volume]))

    def found(name_it):
        try:
            return name_it() or ""
        except ValueError:
            return "refused"

    assert found(lambda: pfn(name, mine.rules, ["p"])) == found(lambda: translate(name, volume_rules(volume), "p"))
