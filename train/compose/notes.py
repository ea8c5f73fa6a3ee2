"""Single notes: how a recorded one is led in pitch and loudness, and how it is laid into a window."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from stream.recognition.mel import SAMPLE_RATE, WINDOW
from train.compose.decoded_recordings import DecodedRecordings

Array = npt.NDArray[np.float32]
Curve = npt.NDArray[np.float64]
Rng = np.random.Generator

_TRUE: Final = 3.0  # semitones; a sound transposed further is another instrument's


class Notes:
    """Pitched recordings of one source, played at pitches near theirs.

    Parameters
    ----------
    decoded : DecodedRecordings
        Where they are recorded.
    numbers : list of int
        Which recordings; all of them have a pitch.
    """

    def __init__(self, decoded: DecodedRecordings, numbers: list[int]) -> None:
        self._decoded = decoded
        self._numbers = numbers
        self.pitches = np.array([decoded.recordings[i].midi for i in numbers], np.float64)
        """MIDI, recording by recording."""

    @property
    def compass(self) -> tuple[float, float]:
        """Lowest and highest pitch in MIDI, without the few strange ones that a library may hold."""
        if len(self.pitches) > 4:
            low, high = np.percentile(self.pitches, [5, 95])
            return float(low), float(high)
        return float(self.pitches.min() - 1), float(self.pitches.max() + 1)

    def sound(self, pitch: float, curve: Curve, rng: Rng) -> Array:
        """Play one of the notes within a semitone of a pitch, or else the nearest one.

        Parameters
        ----------
        pitch : float
            MIDI; where no recording is within two semitones, the nearest one keeps its own.
        curve : np.ndarray [shape=(n,)]
            Semitones above `pitch`, sample by sample.
        rng : np.random.Generator
            Where the choice comes from.

        Returns
        -------
        np.ndarray [shape=(m,), dtype=float32]
            `n` samples at most, transposed by 3 semitones at most.
        """
        distance = np.abs(self.pitches - pitch)
        note = int(rng.choice(np.flatnonzero(distance <= max(1.0, distance.min() + 0.01))))
        interval = pitch - self.pitches[note]
        if abs(interval) > 2:
            interval = np.fmod(interval, 1.0)
        return warp(self._decoded.audio(self._numbers[note]), np.clip(curve + interval, -_TRUE, _TRUE))


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
    rise = min(330 if first else 22, len(sound))  # a millisecond, for some recordings begin in the middle of a wave
    sound[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)
    start = int(time * SAMPLE_RATE)
    begin, end = max(start, 0), min(start + len(sound), len(out))
    if begin < end:
        out[begin:end] += np.float32(gain) * sound[begin - start : end - start]


def audible_samples(time: float, seconds: float) -> int:
    """Count the samples of a note that can be heard: of what begins at `time`, nothing after the window is needed."""
    return max(1, int(min(seconds, WINDOW / SAMPLE_RATE - time) * SAMPLE_RATE))


def vibrato(length: int, rng: Rng) -> Curve:
    """Make a vibrato of amplitude 1 and 4.5 to 6.8 Hz that sets in after a moment."""
    time = np.arange(length) / SAMPLE_RATE
    delay = rng.uniform(0.05, 0.4)
    wave = np.sin(2 * np.pi * rng.uniform(4.5, 6.8) * time + rng.uniform(0, 6))
    return np.asarray(np.clip((time - delay) / 0.3, 0, 1) * wave, np.float64)


def trill(length: int, interval: float, rate: float, beats: int | None = None) -> Curve:
    """Alternate between a note and a neighbour.

    Parameters
    ----------
    length : int
        Samples.
    interval : float
        The neighbour, in semitones above the note.
    rate : float
        Notes in a second.
    beats : int, optional
        How often the neighbour is touched; once is a mordent. By default, until the end.

    Returns
    -------
    np.ndarray [shape=(length,)]
        Semitones, 0 at first. From one note to the next it takes a tenth of a note, so nothing clicks.
    """
    time = np.arange(length) / SAMPLE_RATE
    # Half a note late, so that the first one has its full length.
    curve = interval * (0.5 - 0.5 * np.clip(6 * np.cos(np.pi * np.maximum(rate * time - 0.5, 0)), -1, 1))
    if beats is not None:
        curve[rate * time > 2 * beats + 0.5] = 0.0
    return np.asarray(curve, np.float64)


def glide(length: int, interval: float, seconds: float) -> Curve:
    """Come from `interval` semitones above a note and arrive at it, at 0, in so many seconds, without a corner."""
    progress = np.clip(np.arange(length) / (seconds * SAMPLE_RATE), 0, 1)
    return np.asarray(interval * (1 - progress * progress * (3 - 2 * progress)), np.float64)


def fall(length: int, interval: float, begin: float, seconds: float) -> Curve:
    """Drop by `interval` semitones, faster and faster, from second `begin` of a note on."""
    progress = np.clip((np.arange(length) / SAMPLE_RATE - begin) / seconds, 0, 1)
    return np.asarray(-interval * progress * progress, np.float64)


def release_bend(length: int, interval: float, seconds: float, rng: Rng) -> Curve:
    """Pull a string up by `interval` semitones and let it down again, in the course of a note of so many seconds."""
    marks = np.cumsum([0, *rng.uniform([0.05, 0.15, 0.1, 0.1], [0.15, 0.25, 0.3, 0.25]) * seconds])
    up = np.interp(np.arange(length) / SAMPLE_RATE, marks, [0, 0, 1, 1, 0])
    return np.asarray(interval * up * up * (3 - 2 * up), np.float64)


def swell(sound: Array, seconds: float, decibels: float, rng: Rng) -> Array:
    """Let a held note grow, fade, or do both within its `seconds`, by up to `decibels`."""
    shape = ((-1, 0), (0, -1), (-1, 0, -1), (0, -1, 0))[rng.choice(4, p=[0.3, 0.3, 0.3, 0.1])]
    # Interpolation of factors a few milliseconds apart is as smooth as a function, and takes less time.
    marks = np.linspace(0, seconds * SAMPLE_RATE, 65)
    factors = 10 ** (decibels / 20 * np.interp(np.linspace(0, len(shape) - 1, 65), range(len(shape)), shape))
    return np.asarray(sound * np.interp(np.arange(len(sound)), marks, factors), np.float32)


def flutter(sound: Array, rng: Rng) -> Array:
    """Growl, or flutter with the tongue: loudness that trembles 20 to 30 times in a second."""
    depth, rate = rng.uniform(0.15, 0.5), rng.uniform(20, 30)
    wave = np.sin(2 * np.pi * rate * np.arange(len(sound)) / SAMPLE_RATE + rng.uniform(0, 6))
    return np.asarray(sound * (1 - depth * (0.5 + 0.5 * wave)), np.float32)


def breath(seconds: float, rng: Rng) -> Array:
    """Draw a breath.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float32]
        Noise of RMS 1 between 0.4 and 5 kHz or so, that rises and falls.
    """
    length = int(seconds * SAMPLE_RATE)
    spectrum = np.fft.rfft(rng.standard_normal(length))
    octaves = np.log2(np.maximum(np.fft.rfftfreq(length, 1 / SAMPLE_RATE), 20) / rng.uniform(900, 2500))
    noise = np.fft.irfft(spectrum * np.exp2(-octaves * octaves), length)
    noise *= np.sin(np.pi * np.linspace(0, 1, length) ** rng.uniform(0.6, 1.2)) ** 2
    return np.asarray(noise / np.sqrt(np.mean(noise * noise)), np.float32)
