"""Phrases: what the recordings of one source are played as, and how; the ways that are no melodies."""

from __future__ import annotations

from typing import Final

import numpy as np

from stream.recognition.mel import SAMPLE_RATE, WINDOW
from train.compose.chords import CHORDS, POWER_CHORDS, chords, riff, two_hands
from train.compose.decoded_recordings import DecodedRecordings
from train.compose.melodies import melody
from train.compose.notes import Array, Notes, Rng, place, vibrato, warp
from train.compose.playing_techniques import TECHNIQUES, PlayingTechniques

_LONG_SECONDS: Final = 2.4  # unpitched recordings of at least this length are playing, not single notes


def excerpt(decoded: DecodedRecordings, recording: int, rng: Rng, *, tune: bool = False) -> Array:
    """Cut a window out of real playing, a little faster or slower.

    Parameters
    ----------
    decoded : DecodedRecordings
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
    sound = decoded.audio(recording)
    spare = len(sound) - int(WINDOW * 1.13)
    if spare > 0:
        start = int(rng.integers(spare))
        sound = sound[start : start + int(WINDOW * 1.13)]
    widest = 2 if rng.random() < 0.2 else 1  # semitones
    shift = rng.uniform(-widest, widest)
    if tune:
        steps = np.repeat(np.round(rng.laplace(0, 1.5, 24)).clip(-3, 3), rng.integers(2000, 16000))[: len(sound)]
        steps = np.pad(steps, (0, max(0, len(sound) - len(steps))), mode="edge")
        smooth = np.ones(600) / 600
        curve = shift + np.convolve(steps, smooth, "same")
        curve += rng.uniform(0, 0.4) * vibrato(len(curve), rng)
    else:
        curve = np.full(len(sound), shift)
    sound = warp(sound, curve)
    out = np.zeros(WINDOW, np.float32)
    slack = WINDOW - len(sound)
    offset = rng.uniform(0, slack) if slack > 0 else -rng.uniform(0, -slack)
    seconds, release = len(sound) / SAMPLE_RATE, 0.02
    if slack <= 0 and rng.random() < 0.07:  # a player who stops, and whose last note dies away
        seconds, release = (WINDOW - offset) / SAMPLE_RATE - rng.uniform(0.5, 1.4), rng.uniform(0.15, 0.4)
    place(out, sound, offset / SAMPLE_RATE, seconds, 0.0, 1.0, release)
    return out


def repeat_pattern(decoded: DecodedRecordings, hits: list[int], rng: Rng) -> Array:
    """Repeat a bar of unpitched sounds: drums, claps, syllables.

    Parameters
    ----------
    decoded : DecodedRecordings
        Where they are recorded.
    hits : list of int
        Recordings of one source.
    rng : np.random.Generator
        Where all choices come from.

    Returns
    -------
    np.ndarray [shape=(65536,), dtype=float32]
        The phrase.
    """
    out = np.zeros(WINDOW, np.float32)
    step = rng.uniform(0.09, 0.28)
    kit = rng.choice(hits, size=min(len(hits), int(rng.integers(1, 6))), replace=False)
    grid = rng.random((len(kit), 16)) < rng.uniform(0.1, 0.5, (len(kit), 1))
    levels = 10 ** (rng.uniform(-15, 0, len(kit)) / 20)
    offset = rng.uniform(0, 2)
    for hit, row, level in zip(kit, grid, levels, strict=True):
        sound = warp(decoded.audio(int(hit)), np.full(len(decoded.audio(int(hit))), rng.uniform(-2, 2)))
        for beat in range(48):
            if row[beat % 16]:
                at = beat * step - offset + rng.normal(0, 0.004)
                place(out, sound, at, 4.0, 0.0, level * 10 ** (rng.normal(0, 2) / 20), 0.02)
    return out


def play_in_sequence(decoded: DecodedRecordings, recordings: list[int], rng: Rng) -> Array:
    """Play recordings of unknown pitch one after the other: syllables, single notes, words; arguments as above."""
    out = np.zeros(WINDOW, np.float32)
    time = -rng.uniform(0, 0.8)
    pause = rng.uniform(-0.08, 0.2)
    shift = rng.uniform(-1, 1)
    while time < WINDOW / SAMPLE_RATE:
        sound = decoded.audio(int(rng.choice(recordings)))
        curve = shift + np.round(rng.normal(0, 1.5)).clip(-3, 3) + rng.uniform(0, 0.3) * vibrato(len(sound), rng)
        sound = warp(sound, curve)
        seconds = min(len(sound) / SAMPLE_RATE, rng.uniform(0.3, 3))
        place(out, sound, time, seconds, 0.0, 10 ** (rng.normal(0, 2) / 20), 0.05)
        time += max(0.1, seconds + pause)
    return out


def play_source(decoded: DecodedRecordings, recordings: list[int], rng: Rng) -> Array:
    """Play one source in whichever way suits what it holds.

    Parameters
    ----------
    decoded : DecodedRecordings
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
    rows = decoded.recordings
    instrument = rows[recordings[0]].instrument
    pitched = [i for i in recordings if rows[i].midi is not None]
    long = [i for i in recordings if rows[i].midi is None and rows[i].seconds >= _LONG_SECONDS]
    if instrument in {"drums", "percussion", "loops and one-shots"}:
        return repeat_pattern(decoded, recordings, rng)
    if long and rng.random() < sum(rows[i].seconds for i in long) / sum(rows[i].seconds for i in recordings):
        weights = np.array([rows[i].seconds for i in long])
        chosen = int(rng.choice(long, p=weights / weights.sum()))
        chanted = instrument == "female singer" and rows[chosen].source.startswith("utau")
        return excerpt(decoded, chosen, rng, tune=chanted and rng.random() < 0.8)
    if len(pitched) < 3:
        return play_in_sequence(decoded, recordings, rng)
    notes = Notes(decoded, pitched)
    techniques = TECHNIQUES.get(instrument, PlayingTechniques())
    share = {"piano": 0.7, "organ": 0.6, "acoustic guitar": 0.5, "string section": 0.5}.get(instrument, 0.0)
    if instrument.endswith("electric guitar") and rng.random() < 0.4:
        if rng.random() < 0.45:
            return riff(notes, rng)
        return chords(notes, rng, CHORDS if rng.random() < 0.25 else POWER_CHORDS)
    if instrument == "piano" and rng.random() < 0.35:
        return two_hands(notes, rng)
    if rng.random() < share:
        sound = chords(notes, rng)
        together = rng.random() < 0.5
        return sound + melody(notes, rng, techniques) * np.float32(rng.uniform(0.5, 1.5)) if together else sound
    return melody(notes, rng, techniques)
