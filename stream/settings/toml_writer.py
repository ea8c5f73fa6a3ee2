"""Settings written into a TOML file, whose comments, order and form stay as somebody made them."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from stream.errors import ConfigError
from stream.settings.lines import RANGES, TABLE, LineSettings, paired
from stream.settings.settings import Setting, declared
from stream.settings.toml_file import MOST_BYTES
from stream.system.files import read_regular_file
from stream.system.names import in_one_form

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_BYTE_ORDER_MARK: Final = "\ufeff"
_OPTIONAL: Final = ("instruments", *RANGES)
"""Keys of a line that need not be there."""


class _Place(NamedTuple):
    """Where a key comes."""

    table: str
    number: int
    """Of the tables of that name, counted from 0."""
    key: str


def write(path: str | Path, values: Mapping[str, Any], lines: Sequence[LineSettings] | None = None) -> None:
    """Write settings into a file.

    It is replaced whole or not at all, with the mode and, where that is allowed, the owner that it has.

    Parameters
    ----------
    path : str or path
        A TOML file of settings without a mistake; a link stays one.
    values : mapping of str to Any
        By the names of the settings. What has its default is taken out of the file, where it cannot be written.
    lines : sequence of LineSettings, optional
        All lines; those of the file stay without it.

    Raises
    ------
    ConfigError
        When the file cannot be read or written, in one line.
    """
    target = Path(os.path.realpath(path))
    try:
        before = read_regular_file(target, MOST_BYTES).decode()
        after = edited(before, values, lines).encode()
        if len(after) > MOST_BYTES:
            raise ConfigError(
                f"{path}: it would be longer than the {MOST_BYTES} bytes that a file of settings may have"
            )
        _replace(target, after)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path} cannot be changed: {error}") from error


def edited(text: str, values: Mapping[str, Any], lines: Sequence[LineSettings] | None = None) -> str:
    """Return the text of a file with other settings; for the parameters see `write`.

    A setting that is not there yet is put below the comment that shows it, where there is one as in the example, or
    below those of its table.
    """
    import tomlkit  # most services never write

    mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
    text = text.removeprefix(mark)
    if text and not text.endswith("\n"):
        text += "\n"
    document = tomlkit.parse(text)
    places = _places_of_settings(document, values) + ([] if lines is None else _places_of_lines(document, lines))
    document = tomlkit.parse(_with_places(text, places))
    for name, value in values.items():
        _set(document, declared()[name], value)
    if lines is not None:
        _set_lines(document, lines)
    after = tomlkit.dumps(document)
    return mark + (after if after.endswith("\n") or not after else after + "\n")


def _holder(document: TOMLDocument, setting: Setting) -> Any:
    """Return the table in which a setting stands: of its room, or the top as in files of before; None if in neither."""
    room: Any = document.get(setting.room)
    if isinstance(room, Mapping) and setting.field.name in room:
        return room
    return document if setting.name in document and not isinstance(document[setting.name], Mapping) else None


def _set(document: TOMLDocument, setting: Setting, value: Any) -> None:
    import tomlkit

    holder = _holder(document, setting)
    key = setting.name if holder is document else setting.field.name
    if value is None:
        if holder is not None:
            holder.remove(key)
        return
    if holder is None:
        if setting.room not in document:
            if len(document) > 0:
                document.add(tomlkit.nl())
            document.add(setting.room, tomlkit.table())
        holder = cast(Any, document[setting.room])
    _put(holder, key, value)


def _put(table: Any, key: str, value: Any) -> None:
    """Set a key, unless it has that value: then it stays as it is written."""
    plain = list(value) if isinstance(value, tuple) else value
    if key not in table or table[key] != plain:
        table[key] = plain


def _set_lines(document: TOMLDocument, lines: Sequence[LineSettings]) -> None:
    """Change, add and take away tables of lines; those that stay are where they were."""
    import tomlkit

    tables: Any = document.get(TABLE)
    if not lines:
        if tables is not None:
            document.remove(TABLE)
        return
    if tables is None:
        document.add(tomlkit.nl())
        document.add(TABLE, tomlkit.aot())
        tables = document[TABLE]
    numbers = _numbers(tables, lines)
    for line, number in zip(lines, numbers, strict=True):
        if number is not None:
            _fill(tables[number], line)
    for number in reversed(range(len(tables))):
        if number not in numbers:
            del tables[number]
    inline = not isinstance(tables, tomlkit.items.AoT)
    for line, number in zip(lines, numbers, strict=True):
        if number is None:
            table = tomlkit.inline_table() if inline else tomlkit.table()
            _fill(table, line)
            if not inline and _follows(document):
                table.add(tomlkit.nl())
            tables.append(table)


def _follows(document: TOMLDocument) -> bool:
    """Whether another table stands below those of the lines."""
    return bool([*document][-1] != TABLE)


def _numbers(tables: Any, lines: Sequence[LineSettings]) -> list[int | None]:
    """Return which of the tables each line is, counted from 0; None for a new one."""
    plain = [table.unwrap() for table in tables]
    old = [LineSettings(in_one_form(table["name"]), tuple(table["channels"])) for table in plain]
    return [None if was is None else old.index(was) for was in paired(old, lines)]


def _fill(table: Any, line: LineSettings) -> None:
    _put(table, "name", line.name)
    _put(table, "channels", line.channels)
    told = _told(line)
    for key in _OPTIONAL:
        if key in told or (key in table and getattr(line, key) is not None):
            _put(table, key, getattr(line, key))
        elif key in table:
            table.remove(key)


def _told(line: LineSettings) -> list[str]:
    """Return which of the optional keys a line needs."""
    usual = LineSettings(line.name, line.channels)
    return [key for key in _OPTIONAL if getattr(line, key) != getattr(usual, key)]


def _places_of_settings(document: TOMLDocument, values: Mapping[str, Any]) -> list[_Place]:
    """Say where settings come that a file does not have, in a table that it has."""
    new = [declared()[name] for name, value in values.items() if value is not None]
    return [_Place(it.room, 0, it.field.name) for it in new if it.room in document and _holder(document, it) is None]


def _places_of_lines(document: TOMLDocument, lines: Sequence[LineSettings]) -> list[_Place]:
    """Say where keys come that the table of a line does not have."""
    tables: Any = document.get(TABLE, ())
    return [
        _Place(TABLE, number, key)
        for line, number in zip(lines, _numbers(tables, lines), strict=True)
        if number is not None
        for key in _told(line)
        if key not in tables[number]
    ]


def _with_places(text: str, places: Sequence[_Place]) -> str:
    """Put a statement at each place, so that tomlkit, which knows only the end of a table, finds it there."""
    lines = text.splitlines(keepends=True)
    for place in places:
        inside = [number for number, at in enumerate(_tables(lines)) if at == (place.table, place.number)]
        shown = [it for it in inside if re.match(rf"#\s?{re.escape(place.key)}\s*=", lines[it])]
        said = shown or [it for it in inside if not re.match(r"\s*(#|$)", lines[it])]
        if said:  # not where tables are written as values
            above = lines[said[-1]]
            end = "\r\n" if above.endswith("\r\n") else "\n"
            lines[said[-1]] = above if above.endswith("\n") else above + end
            lines.insert(said[-1] + 1, f"{place.key} = 0{end}")
    return "".join(lines)


def _tables(lines: Sequence[str]) -> list[tuple[str, int]]:
    """Return in which table each line of a file is, and in which of those of its name, counted from 0."""
    name, counts, found = "", dict[str, int](), list[tuple[str, int]]()
    for line in lines:
        if (header := re.match(r"\s*\[+\s*([\w.-]+)\s*\]+\s*(#.*)?$", line)) is not None:
            name = header[1]
            counts[name] = counts.get(name, -1) + 1
        found.append((name, counts.get(name, 0)))
    return found


def _replace(path: Path, content: bytes) -> None:
    """Put a file in the place of another, with its mode and owner."""
    was = path.stat()
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        # It may hold the token: nobody else may read it for a moment.
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            with contextlib.suppress(OSError):  # which only root may
                os.fchown(file.fileno(), was.st_uid, was.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(was.st_mode))
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
