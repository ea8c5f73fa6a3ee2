"""What a TOML file says of settings: a table for each room; and as it was before there were tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from stream.settings import values
from stream.settings.lines import TABLE
from stream.settings.settings import Setting, declared, rooms
from stream.settings.toml_lines import Statement, StatementError, parse
from stream.system.fields import fields, short, written
from stream.system.files import read_regular_file

MOST_BYTES: Final = 16_384
"""Length of a file at the most."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A setting as a file has it."""

    setting: Setting
    value: Any
    """As tomllib gives it, not looked at."""
    line: int
    """Counted from 1."""
    key: str
    """How it is called there: `server.port`, or `port` outside of its table."""

    @property
    def is_old(self) -> bool:
        """Whether it stands outside of its table."""
        return "." not in self.key


@dataclass(frozen=True, slots=True)
class FileContent:
    """What a file holds."""

    entries: list[Entry] = field(default_factory=list)
    """Settings in their order, no two of them the same."""
    problems: list[str] = field(default_factory=list)
    """What is wrong with it, a line each."""
    lines: Statement | None = None
    """The tables of `[[line]]`, if there are any, not looked at."""
    outdated: str | None = None
    """Which settings stand outside of the tables to which they belong now, in one line."""


def read(path: str | Path) -> FileContent:
    """Read what stands in a file of settings; what cannot be read is among the problems."""
    try:
        content = read_regular_file(path, MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ValueError(f"it is longer than the {MOST_BYTES} bytes that a file of settings may have")
        statements = parse(content.decode("utf-8-sig"))
    except OSError as error:
        return FileContent(problems=[f"{path}: {error.strerror}"])
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        said = f"byte 0x{content[error.start]:02x} is not UTF-8; expected text in UTF-8"
        return FileContent(problems=[f"{path}:{line}: {said}"])
    except ValueError as error:
        return FileContent(problems=[f"{path}: {error}"])
    except StatementError as error:
        return FileContent(problems=[f"{path}:{error.line}: {_describe(error)}"])
    return _content(path, statements)


def _describe(error: StatementError) -> str:
    """Say what is wrong with a text that is no TOML."""
    if not error.path:
        return error.reason
    key = ".".join(error.path)
    setting = next((it for it in declared().values() if error.path in ((it.name,), (it.room, it.field.name))), None)
    written_value = error.value or ""
    # The value of what is unknown, or may hold more settings than one, is not told: it may be a secret.
    # Without a value it is not the value that is wrong.
    if setting is None or error.value is None or "=" in written_value or written_value.startswith("{"):
        return f"{key}: {error.reason}"
    value = "" if setting.field.is_secret else f" is {short(written_value)}"
    return f"{key}{value}: {error.reason}; expected {values.words(setting.field)}"


def _content(path: str | Path, statements: dict[str, Statement]) -> FileContent:
    """Find the settings among what stands at the top of a file."""
    known = declared()
    entries: dict[str, Entry] = {}
    problems: list[str] = []
    lines: Statement | None = None
    for key, statement in statements.items():
        place = f"{path}:{statement.line}"
        is_table = isinstance(statement.value, dict)
        if key == TABLE and statement.tables:
            lines = statement
        elif key == TABLE:
            problems.append(f"{place}: {key} is {written(statement.value)}; expected tables of the form [[{key}]]")
        elif key in rooms() and is_table:
            for it in _table(path, key, statement, problems):
                if (before := entries.get(it.setting.name)) is not None:
                    problems.append(f"{path}:{it.line}: {it.key} is set as {before.key} too, on line {before.line}")
                entries[it.setting.name] = it
        elif key in known:
            it = Entry(known[key], statement.value, statement.line, key)
            if (before := entries.get(key)) is not None:
                problems.append(f"{path}:{before.line}: {before.key} is set as {key} too, on line {it.line}")
            entries.setdefault(key, it)
        elif key in rooms():
            problems.append(f"{place}: {key} is a table, not a setting; expected [{key}]")
        elif is_table:
            problems.append(f"{place}: unknown table {written(key)}; {values.closest(key, rooms())}")
        else:
            room = _room_of(key)
            meant = values.closest(key, known) if room is None else f"it belongs to [{room}]"
            problems.append(f"{place}: unknown setting {written(key)}; {meant}")
    return FileContent(list(entries.values()), problems, lines, _outdated(path, entries.values()))


def _table(path: str | Path, room: str, table: Statement, problems: list[str]) -> list[Entry]:
    """Find the settings in the table of a room."""
    found = {it.field.name: it for it in declared().values() if it.room == room}
    entries = []
    for key, value in table.value.items():
        line = table.lines[key]
        if key in found:
            entries.append(Entry(found[key], value, line, f"{room}.{key}"))
        elif isinstance(value, dict):
            problems.append(f"{path}:{line}: unknown table {written(f'{room}.{key}')}; known are {', '.join(rooms())}")
        else:
            problems.append(f"{path}:{line}: unknown setting {written(key)} in [{room}]; {_meant(key, room)}")
    return entries


def _meant(key: str, room: str) -> str:
    """Say what was probably meant by a key that the table of a room does not have."""
    own = [it.name for it in fields(rooms()[room])]
    if (other := _room_of(key)) is not None:
        return f"it belongs to [{other}]"
    if (setting := declared().get(key)) is not None:  # as it is called elsewhere
        name = setting.field.name
        return f"did you mean {name}?" if setting.room == room else f"it belongs to [{setting.room}], as {name}"
    if values.nearest(key, own) is None:
        near = values.nearest(key, [it.field.name for it in declared().values()])
        if near is not None:
            return f"did you mean {near} in [{_room_of(near)}]?"
    return values.closest(key, own)


def _room_of(key: str) -> str | None:
    """Return the room whose table has a key; no two have the same."""
    return next((it.room for it in declared().values() if it.field.name == key), None)


def _outdated(path: str | Path, entries: Iterable[Entry]) -> str | None:
    """Say which settings belong into tables."""
    belong: dict[str, list[str]] = {}
    lines = []
    for it in entries:
        if it.is_old and not isinstance(it.value, dict):
            name, key = it.setting.name, it.setting.field.name
            belong.setdefault(it.setting.room, []).append(name if name == key else f"{name} as {key}")
            lines.append(it.line)
    if not lines:
        return None
    where = ", ".join(f"[{room}] ({', '.join(belong[room])})" for room in rooms() if room in belong)
    return f"{path}:{min(lines)}: settings outside of tables are an old form; they belong to {where}"
