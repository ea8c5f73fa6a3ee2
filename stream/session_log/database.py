"""The file of a session log: an SQLite database that is opened, checked and, if it is damaged, renamed."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Final

from stream.errors import LogError
from stream.session_log.lock_file import LockFile
from stream.session_log.schema import APPLICATION_ID, OLD_SCHEMA, SCHEMA, SCHEMA_VERSION, create, migrate

PAGE_BYTES: Final = 4096
WAL_PAGES: Final = 256
"""Pages after which SQLite checkpoints: little is left to do on closing, and to read after a crash."""

_MAX_QUARANTINED: Final = 5  # unusable files beside the log, at the most
MAX_FIELD_BYTES: Final = 2**20
"""A damaged file may claim to have gigabytes in a field."""
_BUSY_SECONDS: Final = 2.0  # for another service that writes the same file
# What the disk or another program does; every other error of SQLite is the file's fault.
_TRANSIENT_ERRORS: Final = {
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_AUTH,
}  # fmt: skip


class NewerVersionError(LogError):
    """A log that a later version of Soloist has written."""


class _UnusableError(Exception):
    """A file that is not a session log, or none of ours."""


FAULTS: Final = (sqlite3.Error, UnicodeDecodeError)
"""What a damaged file raises: the second where what SQLite says of it quotes bytes that are no text."""


def is_damage(error: Exception) -> bool:
    """Whether an error means that the file itself is unusable."""
    code = getattr(error, "sqlite_errorcode", None)
    is_unusable = isinstance(error, _UnusableError | UnicodeDecodeError)
    return is_unusable or (code is not None and code & 0xFF not in _TRANSIENT_ERRORS)


def is_transient(error: Exception) -> bool:
    """Whether an error comes of the disk or of another program, and may be gone next time."""
    code = getattr(error, "sqlite_errorcode", 0)
    return isinstance(error, OSError | LogError) or (
        isinstance(error, sqlite3.Error) and code & 0xFF in _TRANSIENT_ERRORS
    )


class DatabaseFile:
    """Opens the database for the one thread that writes it, and renames one that is unusable.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.quarantined: Path | None = None
        """Where the last unusable file is now; whoever has reported it sets this to None."""
        self.quarantine_reason = ""
        """Why it was unusable."""
        self._wal = path.with_name(path.name + "-wal")
        self._connection: sqlite3.Connection | None = None
        self.lock = LockFile(path.with_name(path.name + ".lock"))
        """What this service holds of the file, beside others."""
        self._identity: tuple[int, int] | None = None  # device and inode

    @property
    def wal_bytes(self) -> int:
        """Length of the write-ahead log."""
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def is_open(self) -> bool:
        """Whether a file is open, and still the one of that name: somebody may have deleted or moved it."""
        if self._connection is None:
            return False
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return False
        return (status.st_dev, status.st_ino) == self._identity

    def open(self) -> sqlite3.Connection:
        """Open the file, or create it. An unusable one is renamed first.

        Raises
        ------
        LogError, OSError, sqlite3.Error
            When the circumstances do not allow it.
        """
        self.close()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists() and not self.path.is_file():
            raise LogError("it is not a file: name another one")
        self.lock.open()
        with self.lock.alone():
            try:
                return self._connect()
            except (*FAULTS, _UnusableError) as error:
                if not is_damage(error):
                    raise
                return self._quarantine(error)

    def quarantine(self, reason: Exception) -> sqlite3.Connection:
        """Rename the file, and begin a new one, or take up the one that another service has begun meanwhile.

        Raises
        ------
        LogError, OSError, sqlite3.Error
            When the circumstances do not allow it, or after this has happened a few times.
        """
        with self.lock.alone():
            if self.is_open:
                return self._quarantine(reason)
            self._disconnect()
            return self._connect()

    def _quarantine(self, reason: Exception) -> sqlite3.Connection:
        self._disconnect()
        for number in range(1, _MAX_QUARANTINED + 1):
            aside = self.path.with_name(f"{self.path.name}.aside-{number}")
            if not aside.exists():
                break
        else:
            raise LogError(
                f"it is damaged as are {_MAX_QUARANTINED} beside it: look at the disk, and take the files away"
            )
        # First what SQLite would apply to a new file of that name, last the file itself.
        if self._wal.exists():
            os.replace(self._wal, f"{aside}-wal")
        Path(f"{self.path}-shm").unlink(missing_ok=True)  # an index of the former, made anew by whoever opens it
        os.replace(self.path, aside)
        self.quarantined, self.quarantine_reason = aside, str(reason)
        return self._connect()

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file itself, for whoever copies that alone."""
        if self._connection is not None:
            # A failure is ignored, as SQLite does: nothing is lost, and the next write meets the same disk.
            with contextlib.suppress(*FAULTS):
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        """Close the file, whatever its state."""
        self._disconnect()
        self.lock.close()

    def _disconnect(self) -> None:
        if self._connection is None:
            return
        with contextlib.suppress(*FAULTS, OSError):
            if not self.is_open:  # SQLite would leave what is not checkpointed yet
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self.checkpoint()  # which closing does only where nobody reads
        with contextlib.suppress(*FAULTS):
            self._connection.close()
        self._connection = None

    def _connect(self) -> sqlite3.Connection:
        is_new = not self.path.exists()
        # No transactions but those that the code begins.
        self._connection = db = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
        db.text_factory = lambda text: text.decode("utf-8", "replace")
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_FIELD_BYTES)
        _refuse_newer(db)  # before anything that would change it
        for setting in (
            "cell_size_check = ON",
            "trusted_schema = OFF",
            "cache_size = -256",
            "secure_delete = OFF",  # zeros over what is deleted only wear the card
            "auto_vacuum = INCREMENTAL",
        ):
            db.execute(f"PRAGMA {setting}")
        if db.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
            raise LogError("its file system lacks the shared memory that SQLite's WAL mode needs: take another one")
        db.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        db.execute(f"PRAGMA journal_size_limit = {WAL_PAGES * PAGE_BYTES}")
        _create_or_check(db)
        # What lies on a card does not stay what it was. 64 MiB take a fifth of a second on a PC.
        if db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise _UnusableError("it is damaged")
        if is_new:
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(folder)  # or the file's name may be lost with the power
            finally:
                os.close(folder)
        status = os.stat(self.path)
        self._identity = (status.st_dev, status.st_ino)
        self.checkpoint()  # the schema, or what a crash has left
        return db


def _refuse_newer(db: sqlite3.Connection) -> None:
    application, version = _identity(db)
    if application == APPLICATION_ID and version > SCHEMA_VERSION:  # nothing is wrong with it
        raise NewerVersionError(f"{newer_version(version)}; name another file, or install that Soloist")


def _identity(db: sqlite3.Connection) -> tuple[int, int]:
    application, version = (
        int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("application_id", "user_version")
    )
    return application, version


def _create_or_check(db: sqlite3.Connection) -> None:
    application, version = _identity(db)
    found = {row[0] for row in db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}
    if not found and not application and not version:
        db.execute("BEGIN IMMEDIATE")
        create(db)
        db.execute("COMMIT")
    elif application != APPLICATION_ID:
        raise _UnusableError("it is not a session log")
    elif version == 1 and found >= OLD_SCHEMA:
        db.execute("BEGIN IMMEDIATE")
        migrate(db)
        db.execute("COMMIT")
    elif not found >= set(SCHEMA):
        raise _UnusableError("it is damaged")


def newer_version(version: int) -> str:
    """Say that a log is of a later Soloist."""
    return f"it is of a later Soloist: its version is {version}, and this one knows those up to {SCHEMA_VERSION}"
