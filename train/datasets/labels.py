"""Labels: those of Medley-solos-DB, which the shipped models have, the study's choices of them, and what may be one."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Mapping
from typing import Final

from stream.errors import ConfigError
from stream.recognition.bundle import MAX_LABELS, MAX_NAME_LENGTH, UNKNOWN

_logger = logging.getLogger(__name__)

LABELS: Final = (
    "clarinet",
    "distorted electric guitar",
    "female singer",
    "flute",
    "piano",
    "tenor saxophone",
    "trumpet",
    "violin",
    "unknown",
)
"""The model's outputs in order: the instruments of Medley-solos-DB by name, then everything else."""

INSTRUMENTS: Final = LABELS[:-1]
"""The eight instruments that can be named."""

ALL_LABELS: Final = (
    *INSTRUMENTS,
    "accordion",
    "acoustic guitar",
    "bass",
    "bass clarinet",
    "bassoon",
    "cello",
    "clean electric guitar",
    "drums",
    "french horn",
    "male singer",
    "mandolin",
    "oboe",
    "organ",
    "other saxophone",
    "percussion",
    "string section",
    "synthesizer",
    "trombone",
    "viola",
    "speech",
    "crowd",
    "band",
    "noise",
)
"""Everything that a network of many labels tells apart, in the order of its outputs: the eight, the other instruments,
and what is no instrument; `band` is a band without a soloist."""

TASKS: Final[dict[str, tuple[str, ...]]] = {
    "2": ("distorted electric guitar", "female singer"),
    "3": ("clarinet", "distorted electric guitar", "female singer"),
    "4": ("clarinet", "distorted electric guitar", "female singer", "piano"),
    "8": INSTRUMENTS,
}
"""The study's tasks, by the number of instruments to tell apart."""


def read_label(text: str, where: str) -> str:
    """Read a label as a bundle may have it.

    Parameters
    ----------
    text : str
        Name of a folder, or a cell of a table.
    where : str
        What an error begins with.

    Returns
    -------
    str
        In Unicode's composed form, without blanks around it, and `unknown` for that in any letters.

    Raises
    ------
    ConfigError
        When a bundle cannot have it; the text names the character.
    """
    label = unicodedata.normalize("NFC", text).strip()
    wrong = next((character for character in label if not character.isprintable()), None)
    if wrong is not None:
        undecoded = "\udc80" <= wrong <= "\udcff"  # what Python makes of a byte in a file's name that is not UTF-8
        name = "a byte that is not UTF-8" if undecoded else unicodedata.name(wrong, "a control character")
        raise ConfigError(f"{where}: the label {label!a} has U+{ord(wrong):04X} ({name}), which no label may have")
    if not 0 < len(label) <= MAX_NAME_LENGTH:
        raise ConfigError(f"{where}: a label has 1 to {MAX_NAME_LENGTH} characters, and this one has {len(label)}")
    return UNKNOWN if label.casefold() == UNKNOWN else label


def require_distinct(places: Mapping[str, str]) -> None:
    """Require labels that people can tell apart, and no more than a bundle may have.

    Parameters
    ----------
    places : mapping of str to str
        Where each label stands, by its text as it stands there.

    Raises
    ------
    ConfigError
        When two of them, `unknown` aside, are one but for capitals, blanks or Unicode's forms; the text names both.
    """
    seen: dict[str, tuple[str, str]] = {}
    for text, where in places.items():
        label = read_label(text, where)
        alike = " ".join(unicodedata.normalize("NFKC", label).casefold().split())
        if label == UNKNOWN:
            if text != UNKNOWN:
                _logger.warning("%s: %s counts as %s", where, ascii(text), UNKNOWN)
            continue
        first, place = seen.setdefault(alike, (text, where))
        if first != text:
            raise ConfigError(
                f"{place} and {where}: the labels {first!a} and {text!a} differ in nothing but capitals, "
                "blanks or Unicode's forms; give both one name, or names that differ"
            )
    if len(seen) >= MAX_LABELS:
        raise ConfigError(f"there are {len(seen)} labels; a model has fewer than {MAX_LABELS}")
