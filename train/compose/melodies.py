"""Melodies: one line through a scale, played with an instrument's techniques."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.recognition.mel import SAMPLE_RATE, WINDOW
from train.compose.notes import (
    Array,
    Curve,
    Notes,
    Rng,
    audible_samples,
    breath,
    fall,
    flutter,
    glide,
    place,
    release_bend,
    swell,
    trill,
    vibrato,
)
from train.compose.playing_techniques import PlayingTechniques

SCALES: Final = (
    (0, 2, 4, 5, 7, 9, 11),
    (0, 2, 3, 5, 7, 8, 10),
    (0, 2, 4, 7, 9),
    (0, 3, 5, 6, 7, 10),
    tuple(range(12)),
)
"""Major, minor, pentatonic, blues and chromatic, in semitones above the tonic."""

_SHORTEST: Final = 0.07  # s
_LONG: Final = 0.6  # s
_OPEN_STRINGS: Final = (36, 43, 50, 55, 57, 62, 69, 76)  # a cello's and a violin's, in MIDI


def span(rng: Rng) -> tuple[float, float]:
    """Tell when a phrase begins and ends, in seconds: mostly outside the window, now and then up to 1.2 s inside."""
    begin, end = -rng.uniform(0, 1.2), WINDOW / SAMPLE_RATE
    draw = rng.random()
    if draw < 0.08:
        begin = rng.uniform(0.3, 1.2)
    elif draw < 0.15:
        end -= rng.uniform(0.3, 1.2)
    return float(begin), float(end)


def scale(low: float, high: float, rng: Rng) -> npt.NDArray[np.int64]:
    """Choose a key, and return its pitches between two, in MIDI and rising order."""
    steps = SCALES[rng.integers(len(SCALES))]
    tonic = rng.integers(12)
    return np.array([p for p in range(int(low) - 1, int(high) + 2) if (p - tonic) % 12 in steps] or [round(low)])


def melodic_line(
    pitches: npt.NDArray[np.int64], rng: Rng, techniques: PlayingTechniques
) -> Iterator[tuple[int, float]]:
    """Invent a melody without an end.

    Parameters
    ----------
    pitches : np.ndarray [shape=(n,), dtype=int]
        What it may use, in MIDI and rising order.
    rng : np.random.Generator
        Where all choices come from.
    techniques : PlayingTechniques
        How often it is a run, a broken chord or held notes.

    Yields
    ------
    tuple of int and float
        Pitch, and seconds until the next one.
    """
    where = int(rng.integers(len(pitches)))
    beat = np.exp(rng.uniform(np.log(0.11), np.log(0.9)))
    draw = rng.random()
    if draw < techniques.run + techniques.arpeggio:
        # Up and down in steps of one, or of two: every other note of a scale is a chord.
        leap = 1 if draw < techniques.run else 2
        beat = rng.uniform(0.08, 0.16) * (1 if leap == 1 else rng.uniform(1, 2))
        step = leap
        while True:
            if not 0 <= where + step < len(pitches) or rng.random() < 0.1:
                step = -step
            where = int(np.clip(where + step, 0, len(pitches) - 1))
            yield int(pitches[where]), float(beat * rng.choice([1, 1, 1, 1, 1, 1, 1, 1, 1, 4]))
    if draw > 1 - techniques.hold:
        while True:
            where = int(np.clip(where + np.round(rng.laplace(0, 1.6)), 0, len(pitches) - 1))
            yield int(pitches[where]), float(rng.uniform(0.8, 2.5))
    wander = rng.choice([0.6, 1.6], p=[0.15, 0.85])  # the former repeats many notes
    while True:
        seconds = max(_SHORTEST, beat * rng.choice([0.5, 1, 1, 1, 1.5, 2, 4]))
        where = int(np.clip(where + np.round(rng.laplace(0, wander)), 0, len(pitches) - 1))
        yield int(pitches[where]), float(seconds)


def melody(notes: Notes, rng: Rng, techniques: PlayingTechniques) -> Array:
    """Play one line through a scale.

    Parameters
    ----------
    notes : Notes
        What to play it with.
    rng : np.random.Generator
        Where all choices come from.
    techniques : PlayingTechniques
        What is done to the notes.

    Returns
    -------
    np.ndarray [shape=(65536,), dtype=float32]
        The phrase; mostly it begins before the window and ends after it.
    """
    out = np.zeros(WINDOW, np.float32)
    pitches = scale(*notes.compass, rng)
    time, end = span(rng)
    legato = rng.uniform(0.4, 1.15)
    slurred = rng.uniform(0.4, 1.0) if legato > 0.9 else 0.0  # share of notes without a new attack
    detune = rng.normal(0, 0.15)
    depth = rng.uniform(0.05, 0.5) if rng.random() < 0.5 else 0.0
    connected = rng.random() < 0.8
    pluck = rng.uniform(0.04, 0.25) if rng.random() < techniques.pizzicato else 0.0
    second = str(rng.choice(["thirds", "sixths", "open"])) if rng.random() < techniques.double else ""
    tremolo = rng.uniform(9, 13) if rng.random() < techniques.tremolo else 0.0
    ring = 0.12 if rng.random() < 0.75 else 0.4  # s; how long the releases may be, as in a room
    swelling = rng.uniform(3, 8) if rng.random() < techniques.swell else 0.0
    breathing = rng.random() < techniques.breathe
    inhale = time + rng.uniform(0.5, 4)
    breaths = []
    loudness = 0.0
    before = 0.0
    for pitch, seconds in melodic_line(pitches, rng, techniques):
        if time >= end:
            break
        if breathing and time > inhale:
            rest = rng.uniform(0.15, 0.4)
            breaths.append((time, rest))
            time += rest
            inhale = time + rng.uniform(2, 5)
            before = 0.0
        target = pitch + detune + rng.normal(0, 0.04)
        length = audible_samples(time, seconds * max(legato, 1) + 0.15 + ring)
        attack = rng.uniform(0.0, 0.07) if before and rng.random() < slurred else 0.0
        if pluck:  # a finger is faster than a bow
            attack = rng.uniform(0.05, 0.2)
        curve = depth * vibrato(length, rng) if depth else np.zeros(length)
        if not pluck and not tremolo:
            movement = ornament(length, seconds, before - pitch if before else 0.0, rng, techniques)
            curve += np.pad(movement, (int(attack * SAMPLE_RATE), 0), mode="edge")[:length]  # nothing moves in advance
        sound = notes.sound(target, curve, rng)
        if second:
            beside = notes.sound(target + _interval(pitch, second, pitches), curve, rng)
            shared = min(len(sound), len(beside))
            sound = sound[:shared] + np.float32(rng.uniform(0.5, 1.0)) * beside[:shared]
        if pluck:
            sound = sound * np.exp(np.arange(len(sound), dtype=np.float32) / np.float32(-pluck * SAMPLE_RATE))
        if connected and not tremolo:  # a recorded note that is shorter than the score's makes way for the next one
            seconds = max(_SHORTEST, min(seconds, len(sound) / SAMPLE_RATE - 0.05))
        if swelling and seconds > 0.4:
            sound = swell(sound, seconds, swelling, rng)
        loudness = 0.8 * loudness + rng.normal(0, 1.5)
        gain = 10 ** (loudness / 20)
        release = rng.uniform(0.02 if attack else 0.01, ring)
        if rng.random() > 0.92 and seconds < _LONG:
            before = 0.0  # a rest
        elif tremolo:
            for stroke in range(max(1, round(seconds * tremolo))):
                held = gain * rng.uniform(0.7, 1.0)
                place(out, sound, time + stroke / tremolo, 0.8 / tremolo, rng.uniform(0, 0.04), held, 0.4 / tremolo)
            before = pitch
        else:
            if time + seconds > end < WINDOW / SAMPLE_RATE:  # the last note dies away like a last note
                release = rng.uniform(0.1, 0.3)
            held = seconds * (legato if seconds < _LONG else max(legato, 0.85))  # nobody plays long notes staccato
            place(out, sound, time, min(held, end - time) + 0.03, attack, gain, release)
            before = pitch
        time += seconds
    if rng.random() < techniques.flutter:
        out = flutter(out, rng)
    if breaths and rng.random() < 0.5:
        _inhale(out, breaths, rng)
    return out


def ornament(length: int, seconds: float, interval: float, rng: Rng, techniques: PlayingTechniques) -> Curve:
    """Choose what is done to the pitch of one note.

    Parameters
    ----------
    length : int
        Samples of the note.
    seconds : float
        How long it is held.
    interval : float
        The note before, in semitones above this one; 0 if there is none.
    rng : np.random.Generator
        Where all choices come from.
    techniques : PlayingTechniques
        How often something is done.

    Returns
    -------
    np.ndarray [shape=(length,)]
        Semitones, 2.5 at most.
    """
    curve = np.zeros(length)
    draw = rng.random()
    neighbour = rng.choice([-2, -1, 1, 2], p=[0.1, 0.1, 0.4, 0.4])
    if draw < techniques.trill and seconds > 0.35:
        return trill(length, neighbour, rng.uniform(10, 14))
    draw -= techniques.trill
    if draw < techniques.mordent and seconds > 0.25:
        return trill(length, neighbour, rng.uniform(10, 14), int(rng.integers(1, 3)))
    draw -= techniques.mordent
    if draw < techniques.bend and seconds > 0.15:
        tones = rng.choice([1, 2])
        if rng.random() < 0.5 and seconds > 0.4:
            return release_bend(length, tones, seconds, rng)
        return glide(length, -tones, rng.uniform(0.05, min(0.25, seconds)))
    draw -= techniques.bend
    if draw < techniques.glide and interval:
        curve += glide(length, np.clip(interval, -2.5, 2.5), rng.uniform(0.04, min(0.25, 0.04 + seconds / 2)))
    elif 0 <= draw - techniques.glide < techniques.scoop:
        curve += glide(length, -rng.uniform(0.4, 1.3), rng.uniform(0.04, min(0.18, 0.04 + seconds / 2)))
    if seconds > 0.3 and rng.random() < techniques.fall:
        drop = rng.uniform(0.12, 0.28)
        curve += fall(length, rng.uniform(0.8, 2.5), seconds - drop, drop)
    return curve


def _interval(pitch: int, kind: str, pitches: npt.NDArray[np.int64]) -> int:
    """Choose the second of two strings, in semitones above the first: below it, if the instrument goes so low."""
    if kind == "open":
        below = [string for string in _OPEN_STRINGS if 2 < pitch - string < 14]
        interval = below[-1] - pitch if below else -7
    else:
        minor, major = (-3, -4) if kind == "thirds" else (-8, -9)
        interval = minor if pitch + minor in pitches else major
    return interval if pitch + interval >= pitches[0] else -interval


def _inhale(out: Array, breaths: list[tuple[float, float]], rng: Rng) -> None:
    """Add breaths, as (time, seconds), 25 to 40 dB below the phrase."""
    heard = out[np.abs(out) > 1e-4]
    if len(heard):
        loudness = float(np.sqrt(np.mean(heard * heard))) * 10 ** (-rng.uniform(25, 40) / 20)
        for time, seconds in breaths:
            place(out, breath(seconds, rng), time, seconds, 0.0, loudness, 0.01)
