"""The tables of a session log, and what becomes of those that an earlier version of Soloist wrote."""

from __future__ import annotations

import sqlite3
from typing import Final

APPLICATION_ID: Final = 0x534F_4C4F  # "SOLO"
SCHEMA_VERSION: Final = 2
"""Of the schema, in `user_version`. Version 1 is that of Soloist 0.1 and 0.2."""

_SESSION: Final = """CREATE TABLE session (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL UNIQUE,        -- names the run of the service
    utc REAL NOT NULL,               -- Unix time of stream time 0
    heard REAL NOT NULL DEFAULT 0,   -- stream time up to which the log tells
    sure REAL NOT NULL DEFAULT 0,    -- mean confidence of the open segment so far
    server TEXT NOT NULL,
    port INTEGER,                    -- that the service listens on
    channel INTEGER                  -- that it listens to; NULL for the average of all
) STRICT"""
_STREAM: Final = """CREATE TABLE stream (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES session (id),
    since REAL NOT NULL,             -- stream time from which on
    source TEXT NOT NULL,
    model TEXT NOT NULL,
    labels TEXT NOT NULL             -- a JSON list
) STRICT"""
_EVENT: Final = """CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES stream (id),
    kind TEXT NOT NULL,              -- segment, guess, mark or outage
    start REAL NOT NULL,             -- stream time
    until REAL,                      -- stream time; NULL while it lasts
    state TEXT,
    label TEXT,
    confidence REAL,
    source TEXT,                     -- of an outage
    text TEXT                        -- of a mark; the reason of an outage
) STRICT"""
_INDEXES: Final = (
    "CREATE INDEX event_until ON event (stream, until)",
    "CREATE INDEX event_open ON event (stream) WHERE until IS NULL",
)
_STREAM_INDEX: Final = "CREATE INDEX stream_session ON stream (session)"
_VIEW: Final = """CREATE VIEW heard AS
SELECT event.id, stream.session, event.stream, event.kind,
    session.utc + event.start AS start,
    session.utc + max(event.start, coalesce(event.until, session.heard)) AS until,
    event.until IS NULL AS open,
    event.state, event.label, coalesce(event.confidence, iif(event.kind = 'segment', session.sure, NULL)) AS confidence,
    coalesce(event.source, stream.source) AS source, event.text, stream.model, session.run, session.server
FROM event JOIN stream ON stream.id = event.stream JOIN session ON session.id = stream.session"""

SCHEMA: Final = (_SESSION, _STREAM, _EVENT, *_INDEXES, _STREAM_INDEX, _VIEW)

# Version 1 had a row in `stream` for each source and each model of a run, all of them with the `utc` of the run, whose
# name it did not keep.
_OLD_STREAM: Final = """CREATE TABLE stream (
    id INTEGER PRIMARY KEY,
    utc REAL NOT NULL,               -- Unix time of stream time 0
    heard REAL NOT NULL DEFAULT 0,   -- stream time up to which the log tells
    sure REAL NOT NULL DEFAULT 0,    -- mean confidence of the open segment so far
    server TEXT NOT NULL,
    model TEXT NOT NULL,
    source TEXT NOT NULL,
    labels TEXT NOT NULL             -- a JSON list
) STRICT"""
OLD_SCHEMA: Final = frozenset({_OLD_STREAM, _EVENT, *_INDEXES})
"""What a log of version 1 has, besides its view."""
_KEEP_OLD: Final = "CREATE TEMP TABLE old_stream AS SELECT * FROM main.stream"
# SQLite takes the other columns of a row from that with the greatest `heard`.
_FILL: Final = (
    """INSERT INTO session (id, run, utc, heard, sure, server)
SELECT first, printf('%!.17g', utc), utc, latest, sure, server
FROM (SELECT min(id) AS first, utc, max(heard) AS latest, sure, server FROM old_stream GROUP BY utc)""",
    """INSERT INTO stream (id, session, since, source, model, labels)
SELECT id, (SELECT min(id) FROM old_stream AS first WHERE first.utc = old_stream.utc),
    coalesce((SELECT min(start) FROM event WHERE event.stream = old_stream.id), 0), source, model, labels
FROM old_stream""",
)


def create(db: sqlite3.Connection) -> None:
    """Make the tables in an empty database, within a transaction."""
    for statement in (
        *SCHEMA,
        f"PRAGMA application_id = {APPLICATION_ID}",
        f"PRAGMA user_version = {SCHEMA_VERSION}",
    ):
        db.execute(statement)


def migrate(db: sqlite3.Connection) -> None:
    """Turn a log of version 1 into one of this version, within a transaction; its events stay where they are."""
    for statement in (
        _KEEP_OLD,
        "CREATE INDEX temp.old_stream_utc ON old_stream (utc)",
        "DROP VIEW IF EXISTS main.heard",
        "DROP TABLE main.stream",
        *(it for it in SCHEMA if it not in OLD_SCHEMA),
        *_FILL,
        "DROP TABLE temp.old_stream",
        f"PRAGMA user_version = {SCHEMA_VERSION}",
    ):
        db.execute(statement)


def present_old(db: sqlite3.Connection) -> None:
    """Have a connection that may only read see the tables of this version in a log of version 1."""
    db.execute("PRAGMA temp_store = MEMORY")
    for statement in (_KEEP_OLD, "CREATE INDEX temp.old_stream_utc ON old_stream (utc)", _SESSION, _STREAM, *_FILL):
        # What is temporary goes before what is in the file under the same name.
        statement = statement.replace("CREATE TABLE", "CREATE TEMP TABLE")
        for table in ("session", "stream"):
            statement = statement.replace(f"INSERT INTO {table} ", f"INSERT INTO temp.{table} ")
        db.execute(statement)
