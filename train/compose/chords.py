"""Phrases of several notes at a time: chords, riffs, and the two hands of a pianist."""

from __future__ import annotations

from typing import Final

import numpy as np

from stream.recognition.mel import SAMPLE_RATE, WINDOW
from train.compose.melodies import melodic_line, scale, span
from train.compose.notes import Array, Notes, Rng, audible_samples, place
from train.compose.playing_techniques import PlayingTechniques

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

_MIDDLE: Final = 60  # MIDI; about where a pianist's hands meet

_RIGHT: Final = PlayingTechniques(run=0.12, arpeggio=0.08, mordent=0.04, trill=0.04)

# What the left hand of a pianist does in one half of a bar: steps of its chord, as (beat, index into the chord).
_LEFT: Final = (
    ((0, 0), (1, 1), (2, 2), (3, 1)),  # broken
    ((0, 0), (1, 2), (2, 1), (3, 2)),  # Alberti
    ((0, 0), (2, 1), (2, 2), (2, 3)),  # stride
    ((0, 0), (0, 1), (0, 2)),  # held
    ((0, 0), (0, 1), (0, 2), (2, 1), (2, 2)),  # held, and struck again
    ((0, 0), (0, 3)),  # octaves
    ((0, 0), (1, 1), (2, 3), (3, 2)),  # wide
)


def chords(notes: Notes, rng: Rng, shapes: tuple[tuple[int, ...], ...] = CHORDS) -> Array:
    """Play chords, struck, strummed or broken; arguments as for `melody`, and the chords' `shapes` in semitones."""
    out = np.zeros(WINDOW, np.float32)
    low, high = notes.pitches.min(), notes.pitches.max()
    beat = np.exp(rng.uniform(np.log(0.13), np.log(1.5)))
    strum = rng.choice([0.0, 0.01, 0.03, beat / 3], p=[0.3, 0.3, 0.2, 0.2])
    ring = rng.choice([0.3, 0.9, 4.0])
    root = rng.uniform(low, max(low, high - 16))
    detune = rng.normal(0, 0.1)
    muted = rng.random() < 0.3
    time, end = span(rng)
    while time < end:
        if rng.random() < 0.6:
            root = np.clip(root + rng.choice([-7, -5, -3, -2, 0, 2, 3, 5, 7]), low, max(low, high - 12))
        seconds = beat * rng.choice([0.5, 1, 1, 1, 2, 3])
        shape = shapes[rng.integers(len(shapes))]
        strength = rng.normal(0, 2.5)
        for string, interval in enumerate(shape):
            start = time + string * strum
            if start >= end:
                break
            length = 0.09 if muted and rng.random() < 0.7 else min(seconds * ring + 0.05, end - start)
            release = rng.uniform(0.02, 0.2)
            curve = np.zeros(audible_samples(start, length + release))
            sound = notes.sound(np.round(root) + interval + detune, curve, rng)
            place(out, sound, start, length, 0.0, 10 ** ((strength + rng.normal(0, 1.5)) / 20), release)
        time += seconds
    return out


def riff(notes: Notes, rng: Rng) -> Array:
    """Play eighth notes on an electric guitar's low strings, most of them muted with the palm; arguments as above."""
    out = np.zeros(WINDOW, np.float32)
    low, high = notes.compass
    lowest = round(low) + int(rng.integers(0, max(1, min(8, round(high - low) - 12))))
    eighth = rng.uniform(0.09, 0.22)
    damping, dull = rng.uniform(0.04, 0.15), int(rng.integers(2, 9))  # s; samples of a moving average
    box = np.full(dull, 1 / dull, np.float32)
    detune = rng.normal(0, 0.1)
    shape = POWER_CHORDS[rng.choice(5, p=[0.4, 0.25, 0.1, 0.05, 0.2])]
    opened = rng.random(16) < rng.uniform(0.05, 0.4)
    rests = rng.random(16) < rng.uniform(0, 0.2)
    roots = np.where(opened, rng.choice([0, 0, 2, 3, 5, 7, 8, 10], 16), 0)  # the hand moves where chords ring
    time, end = span(rng)
    for step in range(int(np.ceil((end - time) / eighth))):
        here = step % 16
        if rests[here]:
            continue
        following = next((n for n in range(1, 9) if not rests[(here + n) % 16]), 1)
        held = eighth * following if opened[here] else eighth
        gain = 10 ** (rng.normal(0, 1) / 20)
        for string, interval in enumerate(shape):
            start = time + step * eighth + string * 0.004 + rng.normal(0, 0.003)
            curve = np.zeros(audible_samples(start, held + 0.05))
            sound = notes.sound(lowest + roots[here] + interval + detune, curve, rng)
            if not opened[here] and len(sound):
                sound = np.convolve(sound, box)[: len(sound)]
                sound *= np.exp(np.arange(len(sound), dtype=np.float32) / np.float32(-damping * SAMPLE_RATE))
            place(out, sound, start, held * (1 if opened[here] else 0.8), 0.0, gain, 0.03)
    return out


def two_hands(notes: Notes, rng: Rng) -> Array:
    """Play a piano with two hands: a pattern of chords below, a melody or its octaves above; arguments as above."""
    out = np.zeros(WINDOW, np.float32)
    beat = np.exp(rng.uniform(np.log(0.12), np.log(0.45)))
    pedal = rng.random() < 0.6
    lowest, highest = notes.pitches.min(), notes.pitches.max()
    meet = np.clip(_MIDDLE + rng.uniform(-7, 9), lowest, highest)
    key = scale(max(lowest, meet - 30), min(highest, meet + 26), rng)
    time, end = span(rng)
    left, right = key[key < meet], key[key >= meet]
    balance = rng.uniform(0, 10)  # dB by which the melody is louder
    if len(left):
        figure = _LEFT[rng.integers(len(_LEFT))]
        root = int(rng.integers(len(left)))
        at = time
        while at < end:
            root = int(np.clip(root + rng.choice([-4, -3, -1, 0, 0, 1, 3, 4]), 0, max(0, len(left) - 5)))
            chord = [left[min(root + third, len(left) - 1)] for third in (0, 2, 4, 7)]
            for step, index in figure:
                start = at + step * beat
                if start >= end:
                    break
                held = (4 - step) * beat + 0.1 if pedal else beat * 1.1
                _piano_note(out, notes, chord[index], start, min(held, end - start), -balance, rng)
            at += 4 * beat
    if len(right):
        octaves = rng.random() < 0.2
        for pitch, seconds in melodic_line(right, rng, _RIGHT):
            if time >= end:
                break
            # A pianist keeps time with the other hand.
            seconds = beat * max(0.5, np.round(seconds / beat * 2) / 2) if seconds > 0.16 else seconds
            held = min(seconds * (2.5 if pedal else 1.0), end - time)
            if rng.random() < _RIGHT.trill and seconds > 0.35:
                _piano_trill(out, notes, int(pitch), time, seconds, rng)
            elif rng.random() < 0.9:
                _piano_note(out, notes, pitch, time, held, 0.0, rng)
                if octaves:
                    _piano_note(out, notes, pitch + 12, time, held, -2.0, rng)
            time += seconds
    return out


def _piano_note(out: Array, notes: Notes, pitch: float, time: float, held: float, decibels: float, rng: Rng) -> None:
    """Play one note of a piano, about as loud as said."""
    release = rng.uniform(0.05, 0.25)
    sound = notes.sound(float(pitch), np.zeros(audible_samples(time, held + release)), rng)
    start = time + rng.normal(0, 0.006)
    place(out, sound, start, max(held, 0.05), 0.0, 10 ** ((decibels + rng.normal(0, 1.5)) / 20), release)


def _piano_trill(out: Array, notes: Notes, pitch: int, time: float, seconds: float, rng: Rng) -> None:
    """Trill on a piano, where every note of a trill is struck."""
    rate = rng.uniform(10, 14)
    neighbour = int(rng.integers(1, 3))
    for stroke in range(int(seconds * rate)):
        _piano_note(out, notes, pitch + neighbour * (stroke % 2), time + stroke / rate, 1 / rate, -3.0, rng)
