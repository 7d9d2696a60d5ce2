"""What following a file back asks the database."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fake_organisation import SPLIT_PAYLOAD
from sqlalchemy import event, text
from test_provenance import ran

from router.store.store import Store
from router.testing.build import a_file


@contextmanager
def statements(store: Store) -> Iterator[list[tuple[str, object]]]:
    """What is asked of the database meanwhile."""
    asked: list[tuple[str, object]] = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        asked.append((statement, parameters))

    engine = store.database.engine
    event.listen(engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def merged(router, organisation, folder):
    task = ran(organisation, router.submit(router.plan(SPLIT_PAYLOAD, "my.yaml", folder), folder).task)
    return f"{task.outputs}/hist_merged.root"


def scans(store: Store, asked: list[tuple[str, object]]) -> list[str]:
    """The tables that statements read from their beginning to their end."""
    found = []
    with store.database.read() as connection:
        for statement, parameters in asked:
            if statement.startswith("SELECT"):
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                found += [row.detail for row in plan if row.detail.startswith("SCAN")]
    return found


def test_no_statement_reads_a_table_from_its_beginning_to_its_end(router, store, merged):
    with statements(store) as asked:
        router.provenance(merged)
        router.catalogue.content("/proc/1.0/job.json")
    assert asked and scans(store, asked) == []
    assert scans(store, [("SELECT * FROM files", ())]) == ["SCAN files"]


def test_what_else_there_is_asks_for_nothing_more(router, organisation, store, merged):
    with statements(store) as before:
        router.provenance(merged)
    organisation.store.register([a_file(f"/other/f{number}", "SITE_A") for number in range(50)], "bob", 1.0)
    with statements(store) as after:
        router.provenance(merged)
    assert len(after) == len(before) < 60
    with store.database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM productions")).scalar() == 7
