"""What glideins are told of their site's storage."""

from pathlib import Path

import pytest

from router.errors import UserError
from router.model.files import File, Located, Replica
from router.model.site import Storage
from router.settings import Settings, SiteSettings, parse
from router.site_storage import descriptions, misplaced
from router.worker.wrapper.storage_rules import destinations


def of(tmp_path: Path, text: str) -> list[tuple[str, str, str]]:
    """Where jobs at A may keep /f, in their order."""
    sites = parse(text, Settings(tmp_path)).sites
    return list(destinations("/f", "A", descriptions(sites)["A"]))


def test_without_rules_the_prefix_names_files(tmp_path):
    assert of(tmp_path, "sites: {A: {storage: {prefix: 'file:///se'}}}") == [("A_DISK", "A", "file:///se/f")]


def test_tape_takes_no_outputs(tmp_path):
    assert of(tmp_path, "sites: {A: {storage: {prefix: 'file:///se', kind: tape}}}") == []


def test_a_storage_xml_names_files_by_its_rules(tmp_path):
    rule = '<lfn-to-pfn protocol="file" path-match="/(.*)" result="file:///pool/$1"/>'
    (tmp_path / "storage.xml").write_text(f"<storage-mapping>{rule}</storage-mapping>")
    text = f"sites: {{A: {{storage: {{prefix: 'file:///se', rules: '{tmp_path}/storage.xml'}}}}}}"
    assert of(tmp_path, text) == [("A_DISK", "A", "file:///pool/f")]


def test_a_site_falls_back_to_the_storage_of_another(tmp_path):
    text = "sites: {A: {storage: {prefix: 'file:///a', fallback: [B]}}, B: {storage: {prefix: 'file:///b'}}}"
    assert of(tmp_path, text) == [("A_DISK", "A", "file:///a/f"), ("B_DISK", "B", "file:///b/f")]


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_rules_that_cannot_be_read_are_named_with_their_site(tmp_path, text):
    (tmp_path / "storage.json").write_text(text)
    text = f"sites: {{A: {{storage: {{prefix: 'file:///se', rules: '{tmp_path}/storage.json'}}}}}}"
    with pytest.raises(UserError, match="storage rules of A"):
        of(tmp_path, text)


def test_a_site_that_falls_back_to_nothing_known_is_refused(tmp_path):
    with pytest.raises(UserError, match="falls back to Z"):
        of(tmp_path, "sites: {A: {storage: {prefix: 'file:///a', fallback: [Z]}}}")


def test_a_site_without_storage_is_told_nothing():
    assert descriptions([SiteSettings("A", limits=Storage(present=False))]) == {}


TWO = """
sites:
  A: {storage: {name: A_DISK, prefix: "file:///se"}}
  B: {storage: {name: B_DISK, prefix: "file:///b", rules: RULES}}
"""
RULES = """
[{"site": "B", "volume": "v", "rse": "B_DISK", "protocols": [
  {"protocol": "file", "access": "global-rw", "prefix": "file:///pool"},
  {"protocol": "root", "access": "global-ro", "prefix": "root://b.example.org//pool"}]}]
"""


@pytest.mark.parametrize(
    ("replica", "fault"),
    [
        (("A_DISK", "A", "file:///se/user/alice/h.root"), ""),
        (("B_DISK", "B", "file:///pool/user/alice/h.root"), ""),
        (("B_DISK", "B", "root://b.example.org//pool/user/alice/h.root"), ""),
        (("A_DISK", "A", "file:///etc/passwd"), "which no rule of A_DISK gives"),
        (("A_DISK", "A", "file:///se/user/bob/h.root"), "which no rule of A_DISK gives"),
        (("A_DISK", "A", "file:///se/user/alice/../bob/h.root"), "which no rule of A_DISK gives"),
        (("A_DISK", "A", "http://169.254.169.254/"), "which no rule of A_DISK gives"),
        (("A_DISK", "B", "file:///se/user/alice/h.root"), "which no rule of A_DISK gives"),
        (("B_DISK", "B", "file:///b/user/alice/h.root"), "which no rule of B_DISK gives"),
        (("MINE", "A", "file:///se/user/alice/h.root"), "names the storage element MINE, which no site declares"),
    ],
)
def test_outputs_are_believed_to_be_where_the_rules_of_their_storage_put_them(tmp_path, replica, fault):
    (tmp_path / "rules.json").write_text(RULES)
    settings = parse(TWO.replace("RULES", str(tmp_path / "rules.json")), Settings(tmp_path))
    told = misplaced(settings.sites)(Located(File("/user/alice/h.root", 1, "0badcafe"), (Replica(*replica),)))
    assert told.endswith(fault) and bool(told) == bool(fault)
