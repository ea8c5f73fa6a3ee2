"""Playing techniques: what musicians do with the notes of each instrument, and how often."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class PlayingTechniques:
    """Shares of phrases or notes in which something is done to an instrument."""

    # Of phrases.
    run: float = 0.08
    """Fast scales."""
    arpeggio: float = 0.08
    """Broken chords."""
    hold: float = 0.0
    """Long notes."""
    pizzicato: float = 0.0
    double: float = 0.0
    """Two strings at a time."""
    tremolo: float = 0.0
    """Every note repeated at 9 to 13 Hz."""
    flutter: float = 0.0
    """A growl, or flutter tonguing."""
    breathe: float = 0.0
    """Short rests every few seconds, half of them with an audible breath."""
    swell: float = 0.0
    """Loudness that changes during notes."""
    # Of notes.
    trill: float = 0.0
    mordent: float = 0.0
    glide: float = 0.0
    """Led on from the note before."""
    scoop: float = 0.0
    """Begun about a semitone too low."""
    fall: float = 0.0
    """Dropped at the end."""
    bend: float = 0.0
    """A string pulled up, and in half of the cases let down again."""


_WIND: Final = PlayingTechniques(breathe=0.9, swell=0.5)
_REED: Final = replace(_WIND, run=0.12, arpeggio=0.12, trill=0.05, mordent=0.03, glide=0.02, scoop=0.02)
_BRASS: Final = replace(_WIND, hold=0.08, trill=0.01, scoop=0.04, fall=0.04, flutter=0.04)
_BOWED: Final = PlayingTechniques(
    hold=0.15, arpeggio=0.1, pizzicato=0.25, double=0.15, tremolo=0.06, swell=0.6, trill=0.05, mordent=0.03, glide=0.12
)
_VOICE: Final = PlayingTechniques(
    hold=0.1, run=0.03, arpeggio=0.03, breathe=0.95, swell=0.6, glide=0.3, scoop=0.15, fall=0.05
)
_SAXOPHONE: Final = replace(_REED, trill=0.02, glide=0.05, scoop=0.14, fall=0.05, flutter=0.08)
_ELECTRIC: Final = PlayingTechniques(
    run=0.15, hold=0.15, double=0.08, tremolo=0.05, trill=0.02, mordent=0.03, glide=0.1, bend=0.2
)
_PLUCKED: Final = PlayingTechniques(arpeggio=0.3, tremolo=0.02, mordent=0.02, glide=0.03)

# Relatives have the same techniques, lest a trill tell the eight from what is unknown.
TECHNIQUES: Final = {
    "violin": _BOWED,
    "viola": _BOWED,
    "cello": _BOWED,
    "string section": replace(_BOWED, double=0.3),
    "flute": replace(_REED, trill=0.06, flutter=0.03),
    "clarinet": _REED,
    "bass clarinet": _REED,
    "oboe": _REED,
    "bassoon": _REED,
    "tenor saxophone": _SAXOPHONE,
    "other saxophone": _SAXOPHONE,
    "trumpet": _BRASS,
    "trombone": replace(_BRASS, glide=0.15),
    "french horn": replace(_BRASS, fall=0.0),
    "female singer": _VOICE,
    "male singer": _VOICE,
    "distorted electric guitar": _ELECTRIC,
    "clean electric guitar": _ELECTRIC,
    "acoustic guitar": _PLUCKED,
    "mandolin": replace(_PLUCKED, tremolo=0.3),
    "bass": PlayingTechniques(glide=0.05),
}
"""Who plays how; the others play as `PlayingTechniques()` does."""
