"""What PROV-JSON and RO-Crate ask of a document, and that a reader of somebody else's understands ours."""

import json
import re
from datetime import datetime

import prov.model
import pytest

from router.model.lumis import Lumis
from router.model.provenance import (
    Artifact,
    Execution,
    Lineage,
    Maker,
    Source,
    Standing,
    TaskFacts,
    Use,
)
from router.render import prov_json, ro_crate
from router.testing.clock import NOON

MERGED, PART, INPUT = "/user/alice/z-1/h=i_merged.root", "/user/alice/z-1/h=i_0000.root", "/demo/f1.root"
HOSTILE = 'x"}]\n</script>\u202e{{7*7}}'
MERGE, FIRST = Maker("z-1", "merge", 3, 0), Maker("z-1", "0000", 2, 0)
SHA = "ab" * 32
NODE = (("Name", "slot1@g"), ("ROUTER_MODULE_VERSIONS", "uproot-5.7.7,numpy-2.1"), ("ROUTER_PYTHON_VERSION", "3.11.4"))

LINEAGE = Lineage(
    (MERGED,),
    {
        MERGED: Artifact(MERGED, Standing.REGISTERED, 9, "0badcafe", 60, "6f3c", "alice", NOON, MERGE),
        PART: Artifact(PART, Standing.REMOVED, 9, "0badcafe", 60, "6f3d", "alice", NOON, FIRST),
        INPUT: Artifact(INPUT, Standing.UNSEEN, 1000, "0badcafe"),
    },
    {
        ("z-1", "merge"): Execution(
            MERGE, "merge", True, "merge_files.pyz", ("h=i.root",), (), (Use(PART),), Source.REPORT, "NORTH",
            ended=NOON + 60,
        ),
        ("z-1", "0000"): Execution(
            FIRST, "b0", False, "analyse.py", ("--cut", HOSTILE), (("mass", "110"),),
            (Use(INPUT, 1000, "0badcafe", 10, 60, Lumis.of([(1, 1, 5)]), "NORTH_DISK"),), Source.REPORT, "NORTH",
            "node7", NODE, (("analyse.py", SHA), ("cuts.json", SHA[::-1])), NOON, NOON + 30, 0,
        ),
    },
    {"z-1": TaskFacts("z-1", "alice", NOON, f"name: z  # {HOSTILE}\n", SHA, SHA, "analyse.py", SHA, "dataset /demo")},
)  # fmt: skip
PROV = json.loads(prov_json.text(LINEAGE, "0.1.0"))
CRATE = json.loads(ro_crate.text(LINEAGE, "0.1.0", NOON))
GRAPH = {each["@id"]: each for each in CRATE["@graph"]}

RELATIONS = {
    "used": ({"prov:activity"}, {"prov:activity": "activity", "prov:entity": "entity"}),
    "wasGeneratedBy": ({"prov:entity"}, {"prov:entity": "entity", "prov:activity": "activity"}),
    "wasDerivedFrom": (
        {"prov:generatedEntity", "prov:usedEntity"},
        {"prov:generatedEntity": "entity", "prov:usedEntity": "entity", "prov:activity": "activity"},
    ),
    "wasAssociatedWith": (
        {"prov:activity"},
        {"prov:activity": "activity", "prov:agent": "agent", "prov:plan": "entity"},
    ),
    "wasAttributedTo": ({"prov:entity", "prov:agent"}, {"prov:entity": "entity", "prov:agent": "agent"}),
    "actedOnBehalfOf": ({"prov:delegate", "prov:responsible"}, {"prov:delegate": "agent", "prov:responsible": "agent"}),
}
"""Of each relation what PROV-JSON's schema requires, and what PROV-DM says of which kind its arguments are."""


def literals(value):
    """Every attribute's values."""
    return [found for each in value for found in literals(each)] if isinstance(value, list) else [value]


# PROV-JSON: https://www.w3.org/submissions/2013/SUBM-prov-json-20130424/


def test_every_name_has_a_namespace_that_is_declared():
    known = {*PROV["prefix"], "prov", "xsd", "_"}
    assert all(re.fullmatch(r"[a-z][a-z0-9+.-]*:.+", uri) for uri in PROV["prefix"].values())
    for kind, records in PROV.items():
        for identifier, record in records.items() if kind != "prefix" else ():
            assert identifier.partition(":")[0] in known and ":" in identifier
            assert {name.partition(":")[0] for name in record} <= known
            assert not re.search(r"[\s=,;\[\]()']", identifier)


def test_there_is_no_record_that_prov_does_not_know():
    assert set(PROV) == {"prefix", "entity", "activity", "agent", *RELATIONS}


@pytest.mark.parametrize("kind", RELATIONS)
def test_relations_have_what_they_must_and_lead_to_records_that_are_there(kind):
    required, leads = RELATIONS[kind]
    for record in PROV[kind].values():
        assert required <= set(record)
        for name, of in leads.items():
            assert name not in record or record[name] in PROV[of]


def test_attributes_are_texts_numbers_or_typed_values():
    for kind in {*PROV} - {"prefix"}:
        for record in PROV[kind].values():
            for value in (found for each in record.values() for found in literals(each)):
                typed = isinstance(value, dict) and set(value) == {"$", "type"}
                assert typed or isinstance(value, str | int | float)


def test_times_are_in_iso_8601_and_jobs_do_not_end_before_they_begin():
    for job in PROV["activity"].values():
        told = [datetime.fromisoformat(job[key]) for key in ("prov:startTime", "prov:endTime") if key in job]
        assert told == sorted(told) and all(each.utcoffset() is not None for each in told)


def test_another_reader_finds_the_same_records_and_writes_them_again():
    read = prov.model.ProvDocument.deserialize(content=json.dumps(PROV), format="json")
    assert read == prov.model.ProvDocument.deserialize(content=read.serialize(format="json"), format="json")
    assert len(list(read.get_records())) == sum(len(PROV[kind]) for kind in PROV if kind != "prefix")
    (job,) = read.get_record(prov.model.Identifier("urn:glideroute:job:z-1/0000/2.0"))
    assert job.get_startTime() == datetime.fromisoformat("2023-11-14T22:13:20+00:00")
    (merged,) = read.get_record(prov.model.Identifier("urn:uuid:6f3c"))
    assert merged.label == MERGED


def test_the_chain_is_whole_in_prov():
    derived = {(each["prov:generatedEntity"], each["prov:usedEntity"]) for each in PROV["wasDerivedFrom"].values()}
    assert derived == {("uuid:6f3c", "uuid:6f3d"), ("uuid:6f3d", "lfn:/demo/f1.root")}
    assert PROV["entity"]["lfn:/demo/f1.root"]["gr:standing"] == "unseen"
    assert PROV["activity"]["job:z-1/0000/2.0"]["gr:arguments"] == json.dumps(["--cut", HOSTILE])


# RO-Crate 1.1: https://www.researchobject.org/ro-crate/specification/1.1/root-data-entity.html


def ids(value):
    return [each["@id"] for each in (value if isinstance(value, list) else [value])]


def references(value):
    """Every `{"@id": …}` inside a value."""
    if isinstance(value, dict):
        return [value["@id"]] if set(value) == {"@id"} else []
    return [found for each in value for found in references(each)] if isinstance(value, list) else []


def test_the_descriptor_leads_to_the_root():
    descriptor = GRAPH["ro-crate-metadata.json"]
    assert descriptor["@type"] == "CreativeWork"
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert descriptor["about"] == {"@id": "./"}
    assert CRATE["@context"][0] == "https://w3id.org/ro/crate/1.1/context"


def test_the_root_has_all_that_it_must_have():
    root = GRAPH["./"]
    assert root["@type"] == "Dataset"
    assert {"name", "description", "datePublished", "license"} <= set(root)
    datetime.fromisoformat(root["datePublished"])


def test_every_file_is_part_of_the_crate_and_has_an_absolute_uri():
    files = {each["@id"] for each in GRAPH.values() if "File" in each["@type"]}
    assert files == set(ids(GRAPH["./"]["hasPart"])) and len(files) == 3
    assert all(re.fullmatch(r"lfn:///[A-Za-z0-9._+=@/%-]+", each) for each in files)


def test_everything_has_a_type_and_one_identifier_and_what_it_refers_to_is_described():
    assert len(GRAPH) == len(CRATE["@graph"])
    assert all(each["@type"] for each in GRAPH.values())
    outside = {"https://w3id.org/ro/crate/1.1", "http://schema.org/CompletedActionStatus"}
    led = {found for each in GRAPH.values() for name, value in each.items() for found in references(value)}
    assert led - outside <= set(GRAPH)


def test_values_are_not_nested():
    """RO-Crate's JSON-LD is flattened: a value is a text, a number, or a reference."""
    for entity in GRAPH.values():
        for value in (found for each in entity.values() for found in literals(each)):
            assert isinstance(value, str | int) or set(value) == {"@id"}


# Process Run Crate: https://w3id.org/ro/wfrun/process/0.5


def test_the_root_names_the_profile_which_is_described():
    (profile,) = ids(GRAPH["./"]["conformsTo"])
    assert re.fullmatch(r"https://w3id\.org/ro/wfrun/process/0\.\d", profile)
    assert GRAPH[profile]["@type"] == "CreativeWork"


def test_actions_are_mentioned_and_name_their_tool_their_files_and_who_ran_them():
    actions = {name: each for name, each in GRAPH.items() if each["@type"] == "CreateAction"}
    assert set(actions) == set(ids(GRAPH["./"]["mentions"]))
    for action in actions.values():
        assert {"name", "instrument", "endTime", "result"} <= set(action)
        (tool,) = ids(action["instrument"])
        assert set(literals(GRAPH[tool]["@type"])) & {"SoftwareApplication", "SoftwareSourceCode"}
        assert GRAPH[tool]["name"]
    job = actions["#job-z-1-0000"]
    assert ids(job["agent"]) == ["#user-alice"] and GRAPH["#user-alice"]["@type"] == "Person"
    assert "lfn:///demo/f1.root" in ids(job["object"])
    assert ids(job["result"]) == ["lfn:///user/alice/z-1/h=i_0000.root"]
    assert (job["startTime"], job["endTime"]) == ("2023-11-14T22:13:20Z", "2023-11-14T22:13:50Z")


def test_no_tool_has_two_versions():
    assert not [each for each in GRAPH.values() if "version" in each and "softwareVersion" in each]
    assert GRAPH["#software-uproot-5.7.7"]["softwareVersion"] == "5.7.7"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("https://creativecommons.org/licenses/by/4.0/", {"@id": "https://creativecommons.org/licenses/by/4.0/"}),
        ("for members only", "for members only"),
        ("", ro_crate.UNSTATED),
    ],
)
def test_a_license_is_a_link_that_is_described_or_words(given, told):
    graph = {each["@id"]: each for each in ro_crate.document(LINEAGE, "0.1.0", NOON, given)["@graph"]}
    assert graph["./"]["license"] == told
    assert not isinstance(told, dict) or graph[given]["name"]
