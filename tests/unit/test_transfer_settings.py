"""What the settings say of FTS is refused where it cannot be meant."""

from pathlib import Path

import pytest

from router import wiring
from router.errors import UserError
from router.settings import Settings, parse

FTS = "fts: {url: 'https://fts.test:8446', token: /run/fts.token}\n"
SITE = "sites: {HOME: {storage: {prefix: '%s', by: fts, token: /run/home.token}}}\n"


def read(text: str, home: Path = Path("/home")) -> Settings:
    return parse(text, Settings(home))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fts: {token: /run/fts.token}", "url"),
        ("fts: {url: 'http://fts.test', token: /run/fts.token}", "must begin with https"),
        ("fts: {url: 'https://fts.test'}", "either a token or a proxy"),
        ("fts: {url: 'https://fts.test', token: /a, proxy: /b}", "either a token or a proxy"),
        ("transfers: {purge_removed_after: 0 s}", "a day or more"),
        ("transfers: {purge_removed_after: 23 h}", "a day or more"),
        (SITE.replace("by: fts", "by: ftp") % "https://se.test", "agent, fts"),
    ],
)
def test_settings_of_fts_that_cannot_be_meant_are_refused_with_their_place(text: str, words: str):
    with pytest.raises(UserError, match=words):
        read(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [(FTS + SITE % "file:///srv/se", "knows no address"), (SITE % "https://se.test", "no section fts")],
    ids=["a mounted destination", "no service"],
)
def test_a_destination_that_fts_cannot_serve_is_told_when_the_agent_starts(tmp_path: Path, text: str, words: str):
    with pytest.raises(UserError, match=words):
        wiring.stageout(read(text, tmp_path))


def test_fts_brings_outputs_to_the_destinations_that_name_it(tmp_path: Path):
    others = "  AWAY: {storage: {prefix: 'davs://away.test/store'}}\n  HERE: {storage: {prefix: 'file:///srv/se'}}\n"
    site = "sites:\n  HOME: {storage: {prefix: 'https://se.test', by: fts, token: /run/home.token}}\n"
    loop = wiring.stageout(read(FTS + site + others, tmp_path))
    assert loop.carrier
    service = loop.carrier.service()
    assert service.destinations == {"HOME_DISK"}
    assert service.sources == {"HOME_DISK", "AWAY_DISK"}
