"""The factory's files: whose they are, and what is renewed in them."""

from pathlib import Path

from router.model.pilot import Entry
from router.pilots.condor import CondorFactory, Factory
from router.render.glidein import PoolContact


class Submissions:
    """A queue that takes everything."""

    def submit(self, text: str, items: object) -> int:
        return 7


def test_glideins_that_start_later_take_the_new_token_and_it_stays_private(tmp_path: Path) -> None:
    tokens = ["first", "second", "second"]
    contact = PoolContact("127.0.0.1:9", "vo.test", "/usr")
    factory = Factory(tmp_path, contact, "schedd@vo.test", {}, lambda site: f"{site} {tokens.pop(0)}", 0)
    backend = CondorFactory(Submissions(), factory)  # type: ignore[arg-type]
    seen = []
    for _ in range(3):
        assert backend.start(Entry("a", "SITE_A"), 1) == ("7.0",)
        [file] = tmp_path.glob("a-*/token")
        seen.append((file.read_text(), file.stat().st_mode & 0o777))
        assert [each for each in file.parent.iterdir() if each.name.startswith(".")] == []
    assert seen == [("SITE_A first\n", 0o600), ("SITE_A second\n", 0o600), ("SITE_A second\n", 0o600)]
