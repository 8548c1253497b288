"""Who may do what in PostgreSQL: advisory locks, which end with the connection of a machine that dies.

Source of the method: PostgreSQL, "Explicit Locking", section "Advisory Locks".
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sealift_pipeline.runs.document import digest

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_MAKING_TABLES = "sealift: tables"
# A key of one 64-bit number is shown in two halves.
_HELD = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND classid::bigint = (:key >> 32) AND objid::bigint = (:key & 4294967295)"
)


def _key(name: str) -> int:
    """Return the number of a name: 60 bits of its digest."""
    return int(digest(name.encode("utf-8"))[7:22], 16)


@contextmanager
def making_tables(url: str) -> Iterator[None]:
    """Let one machine at a time make tables: PostgreSQL refuses the second of two that make the same one."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.begin() as turn:
        turn.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _key(_MAKING_TABLES)})
        yield


def begin(engine: "Engine", search: str) -> "Connection | None":
    """Say that this process searches, until the connection closes; None where another does."""
    import sqlalchemy

    # Its own connection, so that what else is asked neither ends the lock nor waits behind it.
    connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    connection.detach()
    asked = sqlalchemy.text("SELECT pg_try_advisory_lock(:key)")
    if connection.execute(asked, {"key": _key(search)}).scalar_one():
        return connection
    connection.close()
    return None


def is_searched(engine: "Engine", search: str) -> bool:
    """Tell whether a process still makes this search."""
    import sqlalchemy

    with engine.connect() as connection:
        return bool(connection.execute(sqlalchemy.text(_HELD), {"key": _key(search)}).scalar_one())
