"""Phrases played from single notes: melodies, chords, power chords, drum patterns, and extracts of real playing."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from stream.features import SAMPLE_RATE, WINDOW
from train.tape import Tape

Array = npt.NDArray[np.float32]
Rng = np.random.Generator

SCALES: Final = (
    (0, 2, 4, 5, 7, 9, 11),
    (0, 2, 3, 5, 7, 8, 10),
    (0, 2, 4, 7, 9),
    (0, 3, 5, 6, 7, 10),
    tuple(range(12)),
)
"""Major, minor, pentatonic, blues and chromatic, in semitones above the tonic."""

CHORDS: Final = (
    (0, 4, 7),
    (0, 3, 7),
    (0, 4, 7, 12),
    (0, 7, 12, 15),
    (0, 5, 7),
    (0, 4, 7, 11),
    (0, 3, 7, 10),
    (0, 9, 16),
)
"""Chords, in semitones above the lowest note."""

POWER_CHORDS: Final = ((0, 7), (0, 7, 12), (0, 5), (0, 12), (0,))
"""What a distorted guitar plays: intervals that survive the distortion."""

_LONG_SECONDS: Final = 2.4  # unpitched recordings of at least this length are playing, not single notes


def melody(tape: Tape, notes: list[int], rng: Rng, *, bend: bool = False, pluck: bool = False) -> Array:
    """Play one line through a scale.

    Parameters
    ----------
    tape : Tape
        Where the notes are recorded.
    notes : list of int
        Pitched recordings of one source.
    rng : np.random.Generator
        Where all choices come from.
    bend : bool
        Whether notes may start a tone below and be pulled up, as on a guitar.
    pluck : bool
        Whether the notes die away at once, as a violin's pizzicato does.

    Returns
    -------
    np.ndarray [shape=(65536,), dtype=float32]
        The phrase; it may begin before the window and end after it.
    """
    out = np.zeros(WINDOW, np.float32)
    pitches = _pitches(tape, notes)
    low, high = np.percentile(pitches, [5, 95]) if len(notes) > 4 else (pitches.min() - 1, pitches.max() + 1)
    scale = SCALES[rng.integers(len(SCALES))]
    tonic = rng.integers(12)
    allowed = np.array([p for p in range(int(low) - 1, int(high) + 2) if (p - tonic) % 12 in scale] or [round(low)])
    where = int(rng.integers(len(allowed)))
    beat = np.exp(rng.uniform(np.log(0.11), np.log(0.9)))
    legato = rng.uniform(0.4, 1.15)
    detune = rng.normal(0, 0.15)
    vibrato = rng.uniform(0.05, 0.5) if rng.random() < 0.5 else 0.0
    connected = rng.random() < 0.8
    decay = rng.uniform(0.04, 0.25)
    loudness = 0.0
    time = -rng.uniform(0, 1.2)
    while time < WINDOW / SAMPLE_RATE:
        seconds = max(0.07, beat * rng.choice([0.5, 1, 1, 1, 1.5, 2, 4]))
        where = int(np.clip(where + np.round(rng.laplace(0, 1.6)), 0, len(allowed) - 1))
        target = allowed[where] + detune + rng.normal(0, 0.04)
        note = _nearest(pitches, target, rng)
        curve = _curve(target - pitches[note], vibrato, bend and rng.random() < 0.25, seconds, rng)
        sound = warp(tape.audio(notes[note]), curve)
        if pluck:
            sound *= np.exp(np.arange(len(sound), dtype=np.float32) / np.float32(-decay * SAMPLE_RATE))
        if connected:  # a recorded note that is shorter than the score's makes way for the next one
            seconds = max(0.07, min(seconds, len(sound) / SAMPLE_RATE - 0.05))
        attack = rng.uniform(0.0, 0.07) if legato > 0.9 and rng.random() < 0.7 else 0.0  # slurred: no new attack
        loudness = 0.8 * loudness + rng.normal(0, 1.5)
        if rng.random() < 0.92:  # else a rest
            place(out, sound, time, seconds * legato + 0.03, attack, 10 ** (loudness / 20), rng.uniform(0.01, 0.12))
        time += seconds
    return out


def chords(tape: Tape, notes: list[int], rng: Rng, shapes: tuple[tuple[int, ...], ...] = CHORDS) -> Array:
    """Play chords, struck, strummed or broken; arguments as for `melody`, and the chords' `shapes` in semitones."""
    out = np.zeros(WINDOW, np.float32)
    pitches = _pitches(tape, notes)
    low, high = pitches.min(), pitches.max()
    beat = np.exp(rng.uniform(np.log(0.13), np.log(1.5)))
    strum = rng.choice([0.0, 0.01, 0.03, beat / 3], p=[0.3, 0.3, 0.2, 0.2])
    ring = rng.choice([0.3, 0.9, 4.0])
    root = rng.uniform(low, max(low, high - 16))
    detune = rng.normal(0, 0.1)
    muted = rng.random() < 0.3
    time = -rng.uniform(0, 1.2)
    while time < WINDOW / SAMPLE_RATE:
        if rng.random() < 0.6:
            root = np.clip(root + rng.choice([-7, -5, -3, -2, 0, 2, 3, 5, 7]), low, max(low, high - 12))
        seconds = beat * rng.choice([0.5, 1, 1, 1, 2, 3])
        shape = shapes[rng.integers(len(shapes))]
        strength = rng.normal(0, 2.5)
        for place_in_chord, interval in enumerate(shape):
            target = np.round(root) + interval + detune
            note = _nearest(pitches, target, rng)
            sound = warp(tape.audio(notes[note]), _curve(target - pitches[note], 0.0, False, seconds, rng))
            length = 0.09 if muted and rng.random() < 0.7 else seconds * ring + 0.05
            gain = 10 ** ((strength + rng.normal(0, 1.5)) / 20)
            place(out, sound, time + place_in_chord * strum, length, 0.0, gain, rng.uniform(0.02, 0.2))
        time += seconds
    return out


def extract(tape: Tape, recording: int, rng: Rng, *, tune: bool = False) -> Array:
    """Cut a window out of real playing, a little faster or slower.

    Parameters
    ----------
    tape : Tape
        Where it is recorded.
    recording : int
        Which recording.
    rng : np.random.Generator
        Where all choices come from.
    tune : bool
        Whether to lead the pitch through a melody, for voices that chant on one note.

    Returns
    -------
    np.ndarray [shape=(65536,), dtype=float32]
        The extract; shorter recordings begin somewhere inside the window.
    """
    sound = tape.audio(recording)
    spare = len(sound) - int(WINDOW * 1.13)
    if spare > 0:
        start = int(rng.integers(spare))
        sound = sound[start : start + int(WINDOW * 1.13)]
    shift = rng.uniform(-1, 1)
    if tune:
        steps = np.repeat(np.round(rng.laplace(0, 1.5, 24)).clip(-4, 4), rng.integers(2000, 16000))[: len(sound)]
        steps = np.pad(steps, (0, max(0, len(sound) - len(steps))), mode="edge")
        smooth = np.ones(600) / 600
        curve = shift + np.convolve(steps, smooth, "same")
        curve += rng.uniform(0, 0.4) * _wave(len(curve), rng)
    else:
        curve = np.full(len(sound), shift)
    sound = warp(sound, curve)
    out = np.zeros(WINDOW, np.float32)
    slack = WINDOW - len(sound)
    offset = rng.uniform(0, slack) if slack > 0 else -rng.uniform(0, -slack)
    place(out, sound, offset / SAMPLE_RATE, len(sound) / SAMPLE_RATE, 0.0, 1.0, 0.02)
    return out


def pattern(tape: Tape, hits: list[int], rng: Rng) -> Array:
    """Repeat a bar of unpitched sounds: drums, claps, syllables.

    Parameters are those of `melody`, with unpitched recordings for its notes.
    """
    out = np.zeros(WINDOW, np.float32)
    step = rng.uniform(0.09, 0.28)
    kit = rng.choice(hits, size=min(len(hits), int(rng.integers(1, 6))), replace=False)
    grid = rng.random((len(kit), 16)) < rng.uniform(0.1, 0.5, (len(kit), 1))
    levels = 10 ** (rng.uniform(-15, 0, len(kit)) / 20)
    offset = rng.uniform(0, 2)
    for hit, row, level in zip(kit, grid, levels, strict=True):
        sound = warp(tape.audio(int(hit)), np.full(len(tape.audio(int(hit))), rng.uniform(-2, 2)))
        for beat in range(48):
            if row[beat % 16]:
                at = beat * step - offset + rng.normal(0, 0.004)
                place(out, sound, at, 4.0, 0.0, level * 10 ** (rng.normal(0, 2) / 20), 0.02)
    return out


def sequence(tape: Tape, recordings: list[int], rng: Rng) -> Array:
    """Play recordings of unknown pitch one after the other: syllables, single notes, words."""
    out = np.zeros(WINDOW, np.float32)
    time = -rng.uniform(0, 0.8)
    pause = rng.uniform(-0.08, 0.2)
    shift = rng.uniform(-1, 1)
    while time < WINDOW / SAMPLE_RATE:
        sound = tape.audio(int(rng.choice(recordings)))
        curve = shift + np.round(rng.normal(0, 1.5)).clip(-3, 3) + rng.uniform(0, 0.3) * _wave(len(sound), rng)
        sound = warp(sound, curve)
        seconds = min(len(sound) / SAMPLE_RATE, rng.uniform(0.3, 3))
        place(out, sound, time, seconds, 0.0, 10 ** (rng.normal(0, 2) / 20), 0.05)
        time += max(0.1, seconds + pause)
    return out


def play(tape: Tape, recordings: list[int], rng: Rng) -> Array:
    """Play one source in whichever way suits what it holds.

    Parameters
    ----------
    tape : Tape
        Where it is recorded.
    recordings : list of int
        All recordings of one source.
    rng : np.random.Generator
        Where all choices come from.

    Returns
    -------
    np.ndarray [shape=(65536,), dtype=float32]
        A phrase.
    """
    rows = tape.recordings
    instrument = rows[recordings[0]].instrument
    pitched = [i for i in recordings if rows[i].midi is not None]
    long = [i for i in recordings if rows[i].midi is None and rows[i].seconds >= _LONG_SECONDS]
    if instrument in {"drums", "percussion", "loops and one-shots"}:
        return pattern(tape, recordings, rng)
    if long and rng.random() < sum(rows[i].seconds for i in long) / sum(rows[i].seconds for i in recordings):
        weights = np.array([rows[i].seconds for i in long])
        chosen = int(rng.choice(long, p=weights / weights.sum()))
        chanted = instrument == "female singer" and rows[chosen].source.startswith("utau")
        return extract(tape, chosen, rng, tune=chanted and rng.random() < 0.8)
    if len(pitched) < 3:
        return sequence(tape, recordings, rng)
    guitar = instrument.endswith("electric guitar")
    share = {"piano": 0.6, "organ": 0.6, "acoustic guitar": 0.5, "string section": 0.5}.get(instrument, 0.0)
    if guitar and rng.random() < 0.4:
        return chords(tape, pitched, rng, CHORDS if rng.random() < 0.15 else POWER_CHORDS)
    if rng.random() < share:
        sound = chords(tape, pitched, rng)
        return sound + melody(tape, pitched, rng) * np.float32(rng.uniform(0.5, 1.5)) if rng.random() < 0.5 else sound
    return melody(tape, pitched, rng, bend=guitar, pluck=instrument == "violin" and rng.random() < 0.2)


def warp(sound: Array, semitones: npt.NDArray[np.floating]) -> Array:
    """Play a sound with its pitch led along a curve, like a tape at varying speed (cubic interpolation).

    Parameters
    ----------
    sound : np.ndarray [shape=(n,), dtype=float32]
        What to play.
    semitones : np.ndarray [shape=(m,)]
        Transposition, sample by sample of the result.

    Returns
    -------
    np.ndarray [shape=(k,), dtype=float32]
        As much of the result as `sound` lasts for, `m` samples at most.
    """
    at = np.cumsum(np.exp2(semitones / 12))
    at = at[: np.searchsorted(at, len(sound) - 3)]
    if len(at) == 0:
        return sound[:0]
    left = at.astype(np.int64)
    t = (at - left).astype(np.float32)
    a, b, c, d = sound[np.maximum(left - 1, 0)], sound[left], sound[left + 1], sound[left + 2]
    return np.asarray(b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))), np.float32)


def place(out: Array, sound: Array, time: float, seconds: float, skip: float, gain: float, release: float) -> None:
    """Add a sound to a window.

    Parameters
    ----------
    out : np.ndarray [shape=(n,), dtype=float32]
        The window, changed in place.
    sound : np.ndarray [shape=(m,), dtype=float32]
        What to add.
    time : float
        When it starts, in seconds; may be negative.
    seconds, skip, release : float
        How long it is held, what of its attack is left out, and how long it takes to fade, in seconds.
    gain : float
        Factor.
    """
    first = int(skip * SAMPLE_RATE)
    fade = max(1, int(release * SAMPLE_RATE))
    sound = sound[first : first + int(seconds * SAMPLE_RATE) + fade].copy()
    if len(sound) == 0:
        return
    fade = min(fade, len(sound))
    sound[len(sound) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32) ** 2
    if first:
        rise = min(330, len(sound))
        sound[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)
    start = int(time * SAMPLE_RATE)
    begin, end = max(start, 0), min(start + len(sound), len(out))
    if begin < end:
        out[begin:end] += np.float32(gain) * sound[begin - start : end - start]


def _pitches(tape: Tape, notes: list[int]) -> npt.NDArray[np.float64]:
    return np.array([tape.recordings[i].midi for i in notes], np.float64)


def _nearest(pitches: npt.NDArray[np.float64], target: float, rng: Rng) -> int:
    """One of the notes within a semitone of the target, or the nearest one."""
    distance = np.abs(pitches - target)
    near = np.flatnonzero(distance <= max(1.0, distance.min() + 0.01))
    return int(rng.choice(near))


def _curve(interval: float, vibrato: float, bend: bool, seconds: float, rng: Rng) -> npt.NDArray[np.float64]:
    """Transposition of one note: far notes keep their own pitch, for a resampled timbre is another instrument."""
    length = int((seconds + 0.8) * SAMPLE_RATE * 1.3)
    curve = np.full(length, interval if abs(interval) <= 2 else np.fmod(interval, 1.0))
    if vibrato:
        curve += vibrato * _wave(length, rng)
    if bend:
        rise = int(rng.uniform(0.05, 0.25) * SAMPLE_RATE)
        curve[:rise] -= np.linspace(rng.choice([1, 2]), 0, min(rise, length))[: len(curve[:rise])]
    return curve


def _wave(length: int, rng: Rng) -> npt.NDArray[np.float64]:
    """Vibrato of amplitude 1 that sets in after a moment."""
    time = np.arange(length) / SAMPLE_RATE
    delay = rng.uniform(0.05, 0.4)
    wave = np.sin(2 * np.pi * rng.uniform(4.5, 6.8) * time + rng.uniform(0, 6))
    return np.asarray(np.clip((time - delay) / 0.3, 0, 1) * wave, np.float64)
