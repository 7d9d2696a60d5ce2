"""Brings a database to the schema of this glideroute, or back; revisions are in `migrations/`.

A new database is made as the tables are declared and counts as being at the newest revision; a test keeps the two
alike. Alembic is only loaded where there is something to do.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, MetaData, inspect, text

from router.errors import RouterError

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0017"
"""The newest revision."""
FIRST = "0001"
"""What databases are at that were made before revisions were counted."""
UNCOUNTED = 1
"""Their only `schema_version`."""
COUNTED = 2
"""`schema_version` of all others; makes a glideroute that counts no revisions refuse them."""


def bring_up(connection: Connection, metadata: MetaData, where: str) -> None:
    """Make the tables where there are none, upgrade what is older. Raises RouterError, with what to do."""
    found = revision(connection)
    if found == HEAD:
        return
    if found == "":
        metadata.create_all(connection)
        connection.execute(text("INSERT INTO schema_version (version) VALUES (:counted)"), {"counted": COUNTED})
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        connection.execute(text("INSERT INTO alembic_version (version_num) VALUES (:head)"), {"head": HEAD})
        return
    refuse_unknown(found, where)
    if not _owned(connection):
        raise RouterError(
            f"The database {where} is of an older glideroute: its schema has revision {found}, this one needs {HEAD}. "
            "It is upgraded when its owner next runs glideroute, or runs `glideroute store upgrade`."
        )
    upgrade(connection)


def revision(connection: Connection) -> str:
    """The revision that a database is at; empty where it holds nothing of ours, `0` where none can be named."""
    there = inspect(connection)
    if there.has_table("alembic_version"):
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "0")
    if not there.has_table("schema_version"):
        return ""
    told = connection.execute(text("SELECT version FROM schema_version")).scalar()
    return FIRST if told == UNCOUNTED else f"0 (schema version {told})"


def refuse_unknown(found: str, where: str) -> None:
    """Raise RouterError for a database that a newer glideroute has made, or something else."""
    if found not in known():
        raise RouterError(
            f"The database {where} has schema revision {found}, this glideroute needs {HEAD} and does not know that "
            "one. Use the glideroute that made it; it can take the schema back: `glideroute store downgrade`."
        )


def known() -> tuple[str, ...]:
    """Every revision, oldest first."""
    from alembic.script import ScriptDirectory

    found = ScriptDirectory.from_config(_config(None)).walk_revisions()
    return tuple(reversed([each.revision for each in found]))


def upgrade(connection: Connection, wanted: str = HEAD) -> None:
    """Take the schema forward; all of it happens, or nothing."""
    from alembic import command

    command.upgrade(_config(connection), wanted)
    connection.execute(text("UPDATE schema_version SET version = :counted"), {"counted": COUNTED})


def downgrade(connection: Connection, wanted: str) -> None:
    """Take the schema back to a revision; what only newer ones hold is lost. Raises RouterError for one unknown."""
    from alembic import command

    if wanted not in known():
        raise RouterError(f"There is no schema revision {wanted}. There are: {', '.join(known())}.")
    command.downgrade(_config(connection), wanted)
    if wanted == FIRST:
        connection.execute(text("UPDATE schema_version SET version = :version"), {"version": UNCOUNTED})
        connection.execute(text("DROP TABLE alembic_version"))


def _config(connection: Connection | None) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _owned(connection: Connection) -> bool:
    """Whether who is connected owns the database."""
    return OWNED[connection.dialect.name](connection)


def _file_owned(connection: Connection) -> bool:
    place = connection.engine.url.database
    return not place or not Path(place).exists() or Path(place).stat().st_uid == os.geteuid()


def _role_owned(connection: Connection) -> bool:
    mine = "SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('schema_version')"
    return bool(connection.execute(text(mine)).scalar())


OWNED: dict[str, Callable[[Connection], bool]] = {"sqlite": _file_owned, "postgresql": _role_owned}
