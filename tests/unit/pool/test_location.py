"""The schedd's address is remembered for when the collector does not answer, and doubted when it does not fit."""

from pathlib import Path

import classad2
import pytest

from router.pool.location import recalled, remember

ADDRESS = "<127.0.0.1:9618?addrs=127.0.0.1-9618&alias=here&noUDP&sock=schedd_1_2>"
MEANT = ["127.0.0.1:9618", "", ""]


def an_ad(address: str = ADDRESS) -> classad2.ClassAd:
    return classad2.ClassAd({"MyAddress": address, "CondorVersion": "$CondorVersion: 25.14.1 $"})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run" / "schedd.json"


def test_a_schedd_is_found_again_where_it_was(file: Path) -> None:
    remember(file, MEANT, an_ad())
    assert recalled(file, MEANT, lambda _: True)._addr == ADDRESS
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_one_that_does_not_answer_there_is_asked_of_the_collector(file: Path) -> None:
    remember(file, MEANT, an_ad())
    assert recalled(file, MEANT, lambda _: False) is None


def test_one_that_is_not_meant_any_more_is_not_spoken_to(file: Path) -> None:
    remember(file, MEANT, an_ad())
    assert recalled(file, ["elsewhere:9618", "", ""], pytest.fail) is None


def test_a_bare_port_is_not_remembered_since_it_may_be_another_daemons_by_then(file: Path) -> None:
    remember(file, MEANT, an_ad("<127.0.0.1:9618>"))
    assert recalled(file, MEANT, pytest.fail) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"MyAddress": 1}'])
def test_a_file_that_is_damaged_says_nothing(file: Path, text: str) -> None:
    file.parent.mkdir()
    file.write_text(text)
    assert recalled(file, MEANT, pytest.fail) is None


def test_a_folder_that_cannot_be_written_to_costs_nothing_but_the_memory(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("no folder")
    remember(tmp_path / "run" / "schedd.json", MEANT, an_ad())
