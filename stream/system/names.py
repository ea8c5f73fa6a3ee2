"""Names of instruments, notes and devices: in one Unicode form, and several of them in one text.

The same letter may be one character or a letter and an accent, as macOS writes the names of files. Names are brought to
the first form (NFC) wherever they come in, so that equal names are equal texts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from typing import Final

_NAME: Final = re.compile(r'\s*(?:"((?:[^"]|"")*)"\s*|([^,]*))(?:,|$)')


def in_one_form(name: str) -> str:
    """Return a name as it is compared and written: composed, NFC."""
    return unicodedata.normalize("NFC", name)


def split_names(text: str) -> tuple[str, ...]:
    """Read names between commas; one that has a comma itself stands in double quotes, as in CSV."""
    found, place = [], 0
    while place < len(text):
        match = _NAME.match(text, place)
        assert match is not None  # it takes anything
        name = match[2].strip() if match[1] is None else match[1].replace('""', '"')
        found.append(in_one_form(name))
        place = match.end()
    return tuple(name for name in found if name)


def join_names(names: Iterable[str]) -> str:
    """Write names as `split_names` reads them, with a space after each comma."""
    return ", ".join('"' + name.replace('"', '""') + '"' if re.search(r'[,"]', name) else name for name in names)


def with_commas(names: Sequence[str], known: Collection[str]) -> tuple[str, ...]:
    """Put together again a known name that has commas and was taken for several.

    Parameters
    ----------
    names : sequence of str
        As they were split.
    known : collection of str

    Returns
    -------
    tuple of str
        Those that are known, alone or joined, and what is left of the others as it was.
    """
    whole = {_bare(name): name for name in known if "," in name}
    found, place = list[str](), 0
    while place < len(names):
        for end in range(len(names), place, -1):
            joined = names[place] if end == place + 1 else whole.get(_bare(",".join(names[place:end])))
            if joined is not None:
                found.append(joined)
                place = end
                break
    return tuple(found)


def _bare(name: str) -> str:
    """Return a name without what splitting takes away, spaces about commas."""
    return ",".join(part.strip() for part in name.split(","))
