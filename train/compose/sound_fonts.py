"""The sound fonts that Debian packages, and what of them is rendered for a pack's thin instruments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from stream.errors import ConfigError
from train.compose import fluidsynth

_SOFT_TO_LOUD: Final = (45, 80, 115)

_POWER_CHORDS: Final = ((0, 7), (0, 7, 12))

_TRIADS: Final = ((0, 4, 7), (0, 3, 7))


@dataclass(frozen=True, slots=True)
class SoundFont:
    """A sound font, and what a pack has to know of it."""

    source: str
    """Name of its notes' source."""
    file: Path
    package: str
    """Debian package that installs it."""
    licence: str
    programs: tuple[int, ...]
    """General MIDI programs that are rendered, counted from 0."""


@dataclass(frozen=True, slots=True)
class ProgramNotes:
    """What is rendered of one General MIDI program."""

    instrument: str
    """As in the pack's table."""
    program: int
    """Counted from 0."""
    name: str
    low: int
    """Lowest sounding key, MIDI."""
    high: int
    """Highest one, included."""
    step: int = 4
    """Semitones from key to key."""
    velocities: tuple[int, ...] = (90,)
    chords: tuple[tuple[int, ...], ...] = ((0,),)
    """What is played on every key, as semitones above it."""


FONTS: Final = (
    # Its winds, solo strings and guitars are Fluid's samples programmed anew, its grand piano is Splendid Grand's and
    # its strings are VSCO 2's: what the pack holds out or validates with of those must not come in by this way, and
    # what differs from Fluid's in nothing but that it is mono comes from there.
    SoundFont(
        "musescore_general",
        Path("/usr/share/sounds/sf3/MuseScore_General.sf3"),
        "musescore-general-soundfont",
        "MIT",
        programs=(16, 19, 24, 25, 32, 33, 34, 40, 56, 66, 71, 73),
    ),
    # Its own samples. The driven guitars are single periods repeated, a buzz, and the pianos' loops can be heard.
    SoundFont(
        "timgm6mb",
        Path("/usr/share/sounds/sf2/TimGM6mb.sf2"),
        "timgm6mb-soundfont",
        "GPL-2",
        programs=(16, 19, 24, 25, 26, 27, 32, 33, 34, 40, 42, 48, 56, 57, 59, 60, 65, 66, 67, 68, 71, 73),
    ),
    # The pack has most of this font already, as the source fluidr3_gm, but neither these nor any power chord.
    SoundFont("fluidr3_more", fluidsynth.SOUNDFONT, "fluid-soundfont-gm", "MIT", programs=(1, 2, 26, 27, 29, 30, 59)),
)
"""The fonts, by the names of their sources."""

BEYOND_FONTS: Final = (
    SoundFont(
        "musescore_beyond",
        FONTS[0].file,
        FONTS[0].package,
        FONTS[0].licence,
        programs=(20, 21, 23, 81, 88, 89),
    ),
    SoundFont(
        "timgm6mb_beyond",
        FONTS[1].file,
        FONTS[1].package,
        FONTS[1].licence,
        programs=(18, 20, 21, 23, 41, 70, 80, 81, 87, 88, 89, 90),
    ),
    SoundFont(
        "fluidr3_beyond",
        FONTS[2].file,
        FONTS[2].package,
        FONTS[2].licence,
        programs=(18, 20, 21, 23, 62, 80, 81, 87, 88, 89, 90),
    ),
)
"""The same fonts, for what a pack lacks beyond the eight; sources of their own: a pack without them stays as it was."""

PROGRAM_NOTES: Final = (
    ProgramNotes("trumpet", 56, "trumpet", 54, 84, 2, _SOFT_TO_LOUD),
    ProgramNotes("trumpet", 59, "muted trumpet", 54, 84, 2, _SOFT_TO_LOUD),
    ProgramNotes("tenor saxophone", 66, "tenor saxophone", 44, 76, 2, _SOFT_TO_LOUD),
    ProgramNotes("other saxophone", 65, "alto saxophone", 49, 81),
    ProgramNotes("other saxophone", 67, "baritone saxophone", 36, 69),
    ProgramNotes("violin", 40, "violin", 55, 100, 2, _SOFT_TO_LOUD),
    ProgramNotes("distorted electric guitar", 30, "distortion guitar", 40, 86, 2, _SOFT_TO_LOUD),
    ProgramNotes("distorted electric guitar", 30, "distortion guitar", 40, 62, 2, _SOFT_TO_LOUD, _POWER_CHORDS),
    ProgramNotes("distorted electric guitar", 29, "overdriven guitar", 40, 86, 2, _SOFT_TO_LOUD),
    ProgramNotes("distorted electric guitar", 29, "overdriven guitar", 40, 62, 2, _SOFT_TO_LOUD, _POWER_CHORDS),
    ProgramNotes("clean electric guitar", 26, "jazz guitar", 40, 84),
    ProgramNotes("clean electric guitar", 27, "clean guitar", 40, 84),
    ProgramNotes("clarinet", 71, "clarinet", 50, 91, 2, _SOFT_TO_LOUD),
    ProgramNotes("flute", 73, "flute", 60, 96, 2, _SOFT_TO_LOUD),
    ProgramNotes("piano", 1, "bright piano", 22, 106, 2, _SOFT_TO_LOUD),
    ProgramNotes("piano", 2, "electric grand", 22, 106, 2, _SOFT_TO_LOUD),
    ProgramNotes("cello", 42, "cello", 36, 76),
    ProgramNotes("trombone", 57, "trombone", 40, 72),
    ProgramNotes("french horn", 60, "french horn", 41, 77),
    ProgramNotes("oboe", 68, "oboe", 58, 90),
    ProgramNotes("organ", 16, "drawbar organ", 36, 96),
    ProgramNotes("organ", 19, "church organ", 36, 96),
    ProgramNotes("organ", 18, "rock organ", 36, 96),
    ProgramNotes("organ", 20, "reed organ", 41, 89),
    ProgramNotes("accordion", 21, "accordion", 41, 91, 2, _SOFT_TO_LOUD),
    ProgramNotes("accordion", 21, "accordion", 45, 77, 4, (90,), _TRIADS),
    ProgramNotes("accordion", 23, "bandoneon", 41, 91, 2, _SOFT_TO_LOUD),
    ProgramNotes("synthesizer", 62, "synth brass", 40, 84),
    ProgramNotes("synthesizer", 80, "square lead", 40, 96),
    ProgramNotes("synthesizer", 81, "saw lead", 40, 96),
    ProgramNotes("synthesizer", 87, "bass and lead", 28, 84),
    ProgramNotes("synthesizer", 88, "fantasia pad", 40, 84),
    ProgramNotes("synthesizer", 89, "warm pad", 40, 84),
    ProgramNotes("synthesizer", 90, "polysynth pad", 40, 84),
    ProgramNotes("viola", 41, "viola", 48, 86, 2, _SOFT_TO_LOUD),
    ProgramNotes("bassoon", 70, "bassoon", 34, 72, 2),
    ProgramNotes("acoustic guitar", 24, "nylon guitar", 40, 84),
    ProgramNotes("acoustic guitar", 25, "steel guitar", 40, 84),
    ProgramNotes("string section", 48, "strings", 36, 96),
    ProgramNotes("bass", 32, "acoustic bass", 28, 60),
    ProgramNotes("bass", 33, "fingered bass", 28, 60),
    ProgramNotes("bass", 34, "picked bass", 28, 60),
)
"""What can be rendered of a font; no fiddle, whose samples are the violin's in all three."""


def find_fonts(files: Sequence[Path], *, beyond: bool = False) -> tuple[SoundFont, ...]:
    """Find what is known of sound font files.

    Parameters
    ----------
    files : sequence of Path
        Files of `FONTS`, wherever they lie; none for all fonts where Debian puts them.
    beyond : bool
        Whether to take `BEYOND_FONTS` as well.

    Returns
    -------
    tuple of SoundFont
        With these files.

    Raises
    ------
    ConfigError
        If a font is another one: what it holds and its licence are unknown.
    """
    if not files:
        return FONTS + BEYOND_FONTS * beyond
    found = []
    for file in files:
        font = next((font for font in FONTS if file.stem.startswith(font.file.stem)), None)
        if font is None:
            raise ConfigError(f"--soundfont is {file}; expected {', '.join(font.file.name for font in FONTS)}")
        others = (other for other in BEYOND_FONTS if beyond and other.file == font.file)
        found += [replace(each, file=file) for each in (font, *others)]
    return tuple(found)
