"""A catalogue of 100,000 files: registering and asking stay far from walking through tables."""

from benchmarks import catalogue


def test_files_are_registered_in_seconds_and_found_in_milliseconds():
    found = dict(catalogue.measure(100_000, 3))
    assert found["register_100k_s"] < 20  # 2 on two busy cores
    assert found["describe_100k_s"] < 20  # 2
    assert found["query_ms"] < 100  # 8; a million files are asked in four times that
