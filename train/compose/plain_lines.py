"""Plain ways to play that real stages have and melodies lack: detached, high, low and straight, plucked, one chord."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from stream.recognition.mel import SAMPLE_RATE, WINDOW
from train.compose.chords import CHORDS, POWER_CHORDS
from train.compose.melodies import scale
from train.compose.notes import Array, Notes, Rng, audible_samples, place, swell, vibrato


@dataclass(frozen=True, slots=True)
class PlainLine:
    """How a few notes are played."""

    seconds: tuple[float, float]
    """From one note to the next, least and most."""
    sounding: tuple[float, float] = (0.9, 1.1)
    """Share of that in which a note sounds; above 1 it is slurred."""
    register: tuple[float, float] = (0.0, 1.0)
    """Part of the compass, from its lowest note to its highest."""
    vibrato: float = 0.0
    """Share of phrases with vibrato."""
    double: bool = False
    """Two strings at a time."""
    swell: float = 0.0
    """dB by which notes grow or fade."""
    pluck: bool = False
    hall: float = 0.3
    """Share of phrases in a hall; half of the others are dry."""


_DETACHED: Final = PlainLine((0.16, 0.6), (0.25, 0.6))
_HIGH: Final = PlainLine((0.4, 2.0), register=(0.55, 1.0), hall=0.15)
_SLOW: Final = PlainLine((0.8, 2.5), (1.0, 1.1), hall=0.75)
_STRAIGHT: Final = PlainLine((0.5, 2.0), hall=0.3)
_LOW: Final = PlainLine((0.4, 2.5), register=(0.0, 0.3))
_DOUBLE: Final = PlainLine((0.4, 2.0), double=True, vibrato=0.3)
_SWELLS: Final = PlainLine((1.0, 2.8), swell=14.0, vibrato=0.3, hall=0.5)
_PLUCKED: Final = PlainLine((0.2, 0.9), pluck=True)

_BOWED: Final = ((0.12, _LOW), (0.06, _DOUBLE), (0.06, _SWELLS), (0.06, _PLUCKED), (0.04, _SLOW))
_REED: Final = ((0.06, _DETACHED), (0.06, _SLOW), (0.06, _STRAIGHT))
_BRASS: Final = ((0.05, _DETACHED), (0.08, _STRAIGHT), (0.05, replace(_SLOW, swell=8.0)))

PLAIN_LINES: Final[dict[str, tuple[tuple[float, PlainLine], ...]]] = {
    "clarinet": ((0.12, _DETACHED), (0.1, _HIGH), (0.1, _SLOW)),
    # Its real players are recorded in phrases, which are not to be crowded out by single notes.
    "violin": ((0.08, _LOW), (0.04, _DOUBLE), (0.04, _SWELLS), (0.04, _PLUCKED)),
    "viola": _BOWED,
    "cello": _BOWED,
    "string section": ((0.1, _SLOW), (0.08, _SWELLS), (0.05, _PLUCKED)),
    "flute": (*_REED, (0.05, _HIGH)),
    "oboe": _REED,
    "bassoon": _REED,
    "bass clarinet": _REED,
    "tenor saxophone": _REED,
    "other saxophone": _REED,
    "trumpet": _BRASS,
    "trombone": _BRASS,
    "french horn": _BRASS,
    "accordion": ((0.08, _STRAIGHT), (0.1, _DETACHED), (0.06, _SWELLS)),
    "organ": ((0.1, _STRAIGHT), (0.1, _SLOW)),
    "synthesizer": ((0.1, _STRAIGHT), (0.1, _DETACHED)),
    "clean electric guitar": ((0.06, _LOW), (0.06, _STRAIGHT)),
    "distorted electric guitar": ((0.06, _LOW), (0.04, _STRAIGHT)),
    "female singer": ((0.06, _STRAIGHT), (0.06, _SLOW)),
    "male singer": ((0.06, _STRAIGHT), (0.06, _SLOW)),
}
"""Shares of each label's clips that are played so."""


def plain_line(notes: Notes, rng: Rng, how: PlainLine) -> Array:
    """Play a few notes of a scale.

    Parameters
    ----------
    notes : Notes
        What to play them with.
    rng : np.random.Generator
        Where all choices come from.
    how : PlainLine
        In which way.

    Returns
    -------
    np.ndarray [shape=(65536,), dtype=float32]
        The phrase; mostly it begins before the window and ends after it.
    """
    out = np.zeros(WINDOW, np.float32)
    low, high = notes.compass
    low, high = low + how.register[0] * (high - low), low + how.register[1] * (high - low)
    pitches = scale(low, high, rng)
    where = int(rng.integers(len(pitches)))
    beat = np.exp(rng.uniform(*np.log(how.seconds)))
    depth = rng.uniform(0.05, 0.35) if rng.random() < how.vibrato else 0.0
    detune = rng.normal(0, 0.12)
    decay = rng.uniform(0.06, 0.3)
    first = time = -rng.uniform(0, 1.2 * beat)
    end = WINDOW / SAMPLE_RATE
    while time < end:
        seconds = float(np.clip(beat * rng.choice([0.5, 1, 1, 1, 1.5]), *how.seconds))
        sounding = seconds * rng.uniform(*how.sounding)
        slurred = time > first and how.sounding[1] > 1 and rng.random() < 0.7
        length = audible_samples(time, sounding + 0.4)
        curve = depth * vibrato(length, rng) if depth else np.zeros(length)
        pitch = pitches[where] + detune
        sound = notes.sound(float(pitch), curve, rng)
        if how.double:
            other = notes.sound(float(pitch - rng.choice([3, 4, 5, 7, 7, 8, 9])), curve, rng)
            both = min(len(sound), len(other))
            sound = sound[:both] + np.float32(rng.uniform(0.5, 1)) * other[:both]
        if how.pluck:
            sound = sound * np.exp(np.arange(len(sound), dtype=np.float32) / np.float32(-decay * SAMPLE_RATE))
        if how.swell:
            sound = swell(sound, sounding, rng.uniform(0.3, 1) * how.swell, rng)
        skip = rng.uniform(0.03, 0.1) if slurred else 0.0
        place(out, sound, time, sounding, skip, 10 ** (rng.normal(0, 1) / 20), rng.uniform(0.03, 0.12))
        where = int(np.clip(where + np.round(rng.laplace(0, 1.5)), 0, len(pitches) - 1))
        time += seconds
    return out


def held_chord(notes: Notes, rng: Rng) -> Array:
    """Strike one or two low chords and let them ring; arguments and result as for `plain_line`."""
    out = np.zeros(WINDOW, np.float32)
    low, _ = notes.compass
    time = -rng.uniform(0, 0.8)
    shapes = POWER_CHORDS[:4] if rng.random() < 0.6 else CHORDS
    root = low + rng.integers(0, 10)
    for _ in range(4):
        seconds = rng.uniform(0.7, 3.2)
        for string, interval in enumerate(shapes[rng.integers(len(shapes))]):
            start = time + string * rng.uniform(0, 0.02)
            sound = notes.sound(float(root + interval), np.zeros(audible_samples(start, seconds + 0.2)), rng)
            place(out, sound, start, seconds, 0.0, 10 ** (rng.normal(0, 1) / 20), 0.15)
        time += seconds
        if time > WINDOW / SAMPLE_RATE:
            break
        root = max(low, root + rng.choice([-5, -3, -2, 2, 3, 5]))
    return out
