"""How storage elements name files."""

import pytest

from router.model.files import StorageElement


@pytest.mark.parametrize(
    ("prefix", "pfn"),
    [
        ("file:///srv/se", "file:///srv/se/a/b%20c"),
        ("file:///srv/se/", "file:///srv/se/a/b%20c"),
        ("https://se.example.org", "https://se.example.org/a/b%20c"),
        ("davs://se.example.org:8443/store/", "davs://se.example.org:8443/store/a/b%20c"),
        ("root://se.example.org", "root://se.example.org//a/b%20c"),
        ("root://se.example.org//", "root://se.example.org//a/b%20c"),
        ("root://se.example.org/store", "root://se.example.org//store/a/b%20c"),
        ("roots://se.example.org:1094//store/", "roots://se.example.org:1094//store/a/b%20c"),
    ],
)
def test_a_physical_name_is_the_prefix_and_the_logical_name(prefix, pfn):
    assert StorageElement("SE", "SITE", prefix).pfn("/a/b c") == pfn
