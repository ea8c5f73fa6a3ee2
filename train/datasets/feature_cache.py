"""Features on disk, addressed by what they were computed from, in one SQLite file that several processes may use."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.errors import ConfigError, SourceError
from stream.recognition.mel import FRAMES, N_MELS

Features = npt.NDArray[np.uint8]

FILE_NAME: Final = "features.sqlite"
"""The file's name in the cache folder."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS features (key BLOB PRIMARY KEY, level REAL NOT NULL, mel BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS files (path BLOB PRIMARY KEY, size INTEGER, modified INTEGER, content TEXT NOT NULL);
"""
_BATCH: Final = 500  # keys in one query
_LOCK_TIMEOUT: Final = 60.0  # s that one process waits for another's transaction, which takes milliseconds
_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_ERROR}


class FeatureCache:
    """Features of clips by key, and the digests of files that were read before.

    Every method may be called from any thread at any time. A transaction is complete on disk or not there at all,
    whenever the process is killed.

    Parameters
    ----------
    folder : Path
        Where `features.sqlite` is, or is made.

    Raises
    ------
    ConfigError
        If the folder or the file cannot be written.
    SourceError
        If the file is there, but is damaged or no database. All methods raise the same.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / FILE_NAME
        # As many connections as threads were at it at once. Not one for each thread: TensorFlow's come and go.
        self._idle: list[sqlite3.Connection] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"cannot make the cache folder {folder}: {error.strerror}") from error
        self._create()

    def __del__(self) -> None:
        self.close()

    def __reduce__(self) -> tuple[type[FeatureCache], tuple[Path]]:
        return FeatureCache, (self._folder,)

    def levels(self, keys: Iterable[bytes]) -> dict[bytes, float]:
        """Find which clips are here.

        Parameters
        ----------
        keys : iterable of bytes
            Keys of clips.

        Returns
        -------
        dict
            RMS levels in dBFS by key, without the keys of clips that are not here.
        """
        wanted = list(keys)
        found: dict[bytes, float] = {}
        with self._connected() as connection:
            for start in range(0, len(wanted), _BATCH):
                batch = wanted[start : start + _BATCH]
                marks = ",".join("?" * len(batch))
                found.update(connection.execute(f"SELECT key, level FROM features WHERE key IN ({marks})", batch))
        return found

    def features(self, keys: Sequence[bytes]) -> Features:
        """Read features.

        Parameters
        ----------
        keys : sequence of bytes
            Keys of clips that are here.

        Returns
        -------
        np.ndarray [shape=(n, 129, 129), dtype=uint8]
            Mel bands by frames in the order of the keys, in steps of 80/255 dB above -80 dB.

        Raises
        ------
        SourceError
            Also if a clip is not here (any more).
        """
        features = np.empty((len(keys), N_MELS * FRAMES), np.uint8)
        with self._connected() as connection:
            for row, key in enumerate(keys):
                found = connection.execute("SELECT mel FROM features WHERE key = ?", (key,)).fetchone()
                if found is None or len(found[0]) != N_MELS * FRAMES:
                    raise SourceError(f"{self._path} has lost clips that it held; run the command again")
                features[row] = np.frombuffer(found[0], np.uint8)
        return features.reshape(-1, N_MELS, FRAMES)

    def add(self, entries: Iterable[tuple[bytes, float, Features]]) -> None:
        """Store clips in one transaction: key, RMS level in dBFS, features [shape=(129, 129), dtype=uint8]."""
        rows = [(key, level, features.tobytes()) for key, level, features in entries]
        with self._connected() as connection, connection as transaction:
            transaction.executemany("INSERT OR IGNORE INTO features VALUES (?, ?, ?)", rows)

    def content(self, path: Path, size: int, modified: int) -> str | None:
        """Digest of a file's content, if it was read before and has the same size and time since.

        Parameters
        ----------
        path : Path
            The file.
        size, modified : int
            Its present size in bytes, and the time of its last change in nanoseconds.
        """
        query = "SELECT content FROM files WHERE path = ? AND size = ? AND modified = ?"
        with self._connected() as connection:
            found = connection.execute(query, (_name(path), size, modified)).fetchone()
        return str(found[0]) if found else None

    def remember(self, files: Iterable[tuple[Path, int, int, str]]) -> None:
        """Store digests of files in one transaction: path, size, time and digest as for `content`."""
        rows = [(_name(path), size, modified, content) for path, size, modified, content in files]
        with self._connected() as connection, connection as transaction:
            transaction.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", rows)

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        while self._idle:
            self._idle.pop().close()

    def _create(self) -> None:
        """Make the tables. Another process may be at it: switching the journal does not wait for locks by itself."""
        deadline = time.monotonic() + _LOCK_TIMEOUT
        with self._connected() as connection:
            while True:
                try:
                    connection.execute("PRAGMA journal_mode = WAL")  # readers and the writer do not wait for each other
                    connection.executescript(_TABLES)
                    return
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                        raise
                    time.sleep(0.02)

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_LOCK_TIMEOUT, check_same_thread=False)
        connection.execute("PRAGMA synchronous = NORMAL")  # with WAL, safe against kills without a sync each time
        return connection

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection to this thread alone, and tell in one line what the database complains of."""
        try:
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._open()
            try:
                yield connection
            finally:
                self._idle.append(connection)
        except sqlite3.DatabaseError as error:
            # The low byte is the primary code.
            if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in _DAMAGED:
                text = f"{self._path} is damaged ({error}); delete it, and the features will be computed again"
                raise SourceError(text) from error
            raise ConfigError(f"cannot use the cache {self._path}: {error}") from error


def _name(path: Path) -> bytes:
    """Absolute path as bytes: not every file's name is Unicode."""
    return os.fsencode(path.absolute())
