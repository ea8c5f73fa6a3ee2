"""A folder of taught players: one small file for each, and all of their heads fitted against each other."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import EllipsisType
from typing import Final

from stream.errors import TeachError
from stream.players.bank import Bank, model_digest
from stream.players.enrolment import Enrolment
from stream.players.fitting import EnrolledName, fit_all, judge_last, likeness
from stream.players.player import MAX_BYTES, TaughtPlayer, checked_name, read_player, write_player
from stream.players.reliability import Reliability
from stream.recognition.bundle import Bundle
from stream.recognition.taught import MAX_TAUGHT, Head
from stream.system.files import read_regular_file, write_whole

ENDING: Final = ".player.json"

_STEM: Final = 40  # letters of a name in the name of its file


def default_folder(variables: Mapping[str, str]) -> Path:
    """Where the user's own taught players are, unless somebody says otherwise."""
    home = Path(variables.get("HOME", "~")).expanduser()
    return Path(variables.get("XDG_DATA_HOME") or home / ".local" / "share") / "soloist" / "players"


@dataclass(frozen=True, eq=False)
class PlayerFolder:
    """What was found in a folder."""

    path: Path
    bundle: Bundle
    players: tuple[TaughtPlayer, ...]
    """Those that can be used, by the names of their files."""
    files: tuple[Path, ...]
    """Their files."""
    problems: tuple[str, ...]
    """A line for each file that cannot be used."""

    @classmethod
    def read(cls, path: Path, bundle: Bundle) -> PlayerFolder:
        """Read a folder; one that is not there yet has no players.

        Raises
        ------
        TeachError
            When it is no folder, or cannot be read.
        """
        try:
            found = sorted(file for file in path.iterdir() if file.name.endswith(ENDING))
        except FileNotFoundError:
            found = []
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else error
            raise TeachError(f"folder of players {path}: {said}") from error
        players: list[TaughtPlayer] = []
        files: list[Path] = []
        problems: list[str] = []
        for file in found:
            try:
                player = read_player(_content(file), bundle)
                if any(player.name == other.name for other in players):
                    raise TeachError(f"{player.name!r} is taught in another file, too")
                if len(players) >= MAX_TAUGHT:
                    raise TeachError(f"{MAX_TAUGHT} names are taught already, which is the most")
            except TeachError as error:
                problems.append(f"{file}: {error}; it is left out")
                continue
            players.append(player)
            files.append(file)
        return cls(path, bundle, tuple(players), tuple(files), tuple(problems))

    @property
    def heads(self) -> tuple[Head, ...]:
        """What a recognizer takes."""
        return tuple(player.head for player in self.players)

    def __getitem__(self, name: str) -> TaughtPlayer:
        """Return the player of a name, or raise TeachError."""
        return self.players[self._place(name)]

    def teach(self, name: str, enrolment: Enrolment, bank: Bank, like: str | EllipsisType | None = ...) -> TaughtPlayer:
        """Add a name, or teach one anew, and fit all of them against each other.

        Parameters
        ----------
        name : str
        enrolment : Enrolment
            Made with the folder's model.
        bank : Bank
        like : str or None, optional
            The label of the model that it is one of; None if it is to be told from everything else. Without it,
            `stream.players.fitting.likeness` tells.

        Raises
        ------
        TeachError
            When the name or the label cannot be, or files cannot be written.
        """
        return self._fit(self._with(name, enrolment, like), bank)[-1]

    def judge(self, name: str, enrolment: Enrolment, bank: Bank, like: str | EllipsisType | None = ...) -> Reliability:
        """Tell how a name would do if it were taught, without writing anything; as for `teach`."""
        return judge_last(self._with(name, enrolment, like), bank, self.bundle)

    def check(self, name: str, like: str | EllipsisType | None = ...) -> str:
        """Return a name as it would be kept, if it can be taught here.

        Raises
        ------
        TeachError
            When the name or the label cannot be, or there is no room.
        """
        name = checked_name(name, self.bundle)
        if like is not ... and like is not None and like not in self.bundle.instruments:
            raise TeachError(f"{like!r} is no label of model {self.bundle.name}")
        if sum(player.name != name for player in self.players) >= MAX_TAUGHT:
            raise TeachError(f"{MAX_TAUGHT} names are taught already, which is the most; remove one")
        return name

    def add(self, content: bytes, bank: Bank | None) -> TaughtPlayer:
        """Add what another folder has exported, and fit all against each other if there is a bank.

        Raises
        ------
        TeachError
            When it is no file of a taught player, is of another model, or has a name that is there already.
        """
        player = read_player(content, self.bundle)
        if any(player.name == other.name for other in self.players):
            raise TeachError(f"{player.name!r} is taught already; rename or remove that first")
        if bank is None:
            self._write(player)
            return player
        added = EnrolledName(player.name, player.like, player.enrolment)
        return self._fit([*self._enrolled(), added], bank)[-1]

    def rename(self, old: str, new: str) -> TaughtPlayer:
        """Give a player another name.

        Raises
        ------
        TeachError
            When there is no such player, or the name cannot be.
        """
        place, new = self._place(old), checked_name(new, self.bundle)
        if any(new == player.name for player in self.players):
            raise TeachError(f"{new!r} is taught already")
        renamed = self.players[place].renamed(new)
        self._write(renamed)
        self._delete(self.files[place])
        return renamed

    def remove(self, name: str, bank: Bank | None) -> None:
        """Forget a player, and fit the others anew if there is a bank.

        Raises
        ------
        TeachError
            When there is no such player.
        """
        self._delete(self.files[self._place(name)])
        if bank is not None:
            self._fit([each for each in self._enrolled() if each.name != name], bank)

    def _with(self, name: str, enrolment: Enrolment, like: str | EllipsisType | None) -> list[EnrolledName]:
        """Give all that are taught, with a name that is new or taught anew as the last."""
        name = self.check(name, like)
        like = likeness(enrolment, self.bundle) if like is ... else like
        return [*(each for each in self._enrolled() if each.name != name), EnrolledName(name, like, enrolment)]

    def _enrolled(self) -> list[EnrolledName]:
        return [EnrolledName(player.name, player.like, player.enrolment) for player in self.players]

    def _fit(self, enrolled: Sequence[EnrolledName], bank: Bank) -> list[TaughtPlayer]:
        """Fit and write all of them."""
        digest = model_digest(self.bundle)
        fitted = [
            TaughtPlayer(each.name, self.bundle.name, digest, each.like, each.enrolment, head, reliability)
            for each, (head, reliability) in zip(enrolled, fit_all(enrolled, bank, self.bundle), strict=True)
        ]
        for player in fitted:
            self._write(player)
        return fitted

    def _place(self, name: str) -> int:
        names = [player.name for player in self.players]
        if name in names:
            return names.index(name)
        there = ", ".join(map(repr, names)) or "nobody"
        raise TeachError(f"nobody called {name!r} is taught in {self.path}; there is {there}")

    def _write(self, player: TaughtPlayer) -> None:
        place = next((at for at, other in enumerate(self.players) if other.name == player.name), None)
        path = self.path / file_name(player.name) if place is None else self.files[place]
        try:
            write_whole(path, write_player(player))
        except OSError as error:
            raise TeachError(f"cannot write {path}: {error.strerror}") from error

    def _delete(self, file: Path) -> None:
        try:
            os.unlink(file)
        except OSError as error:
            raise TeachError(f"cannot delete {file}: {error.strerror}") from error


def taught_heads(folder: str | None, bundle: Bundle, tell: Callable[[str], None]) -> tuple[Head, ...]:
    """Return the heads of all players in a folder, none where there is no folder.

    Parameters
    ----------
    folder : str or None
    bundle : Bundle
    tell : callable
        Told a line for each file that cannot be used.

    Raises
    ------
    TeachError
        When it is no folder, or cannot be read.
    """
    if folder is None:
        return ()
    found = PlayerFolder.read(Path(folder).expanduser(), bundle)
    for problem in found.problems:
        tell(problem)
    return found.heads


def read_file(path: Path) -> bytes:
    """Read the file of a taught player.

    Raises
    ------
    TeachError
        When it cannot be read; the text names the file.
    """
    try:
        return _content(path)
    except TeachError as error:
        raise TeachError(f"{path}: {error}") from error


def file_name(name: str) -> str:
    """Return the name of a player's file: its letters, and a digest that keeps other names apart."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_STEM] or "player"
    return f"{stem}-{hashlib.sha256(name.encode()).hexdigest()[:8]}{ENDING}"


def _content(file: Path) -> bytes:
    try:
        return read_regular_file(file, MAX_BYTES + 1)
    except OSError as error:
        raise TeachError(f"cannot be read: {error.strerror}") from error
