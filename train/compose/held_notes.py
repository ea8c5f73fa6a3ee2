"""One long note alone, straight, as musicians try an instrument or open a song; and what makes notes last."""

from __future__ import annotations

from typing import Final

import numpy as np

from stream.recognition.mel import SAMPLE_RATE, WINDOW
from train.compose.decoded_recordings import DecodedRecordings
from train.compose.notes import Array, Rng, place, swell, vibrato, warp

SHORTEST: Final = 0.8  # s; a recording that is shorter cannot be held
LONGEST: Final = 9.0  # s; a longer one is a phrase
_LONG: Final = 1.2  # s; at least as long are taken where there are some
_FRAME: Final = 441  # samples, 20 ms
_PLUCKED: Final = frozenset(
    {"acoustic guitar", "bass", "clean electric guitar", "mandolin", "percussion", "piano", "drums"}
)


def holdable(seconds: float) -> bool:
    """Tell whether a recording of so many seconds is one note that can be held."""
    return SHORTEST <= seconds <= LONGEST


def held_note(decoded: DecodedRecordings, recordings: list[int], rng: Rng, *, even_out: bool = False) -> Array:
    """Play one recorded note, and hold it; now and then a second one follows.

    Three of four begin before the window. What ends too early is held on by repeating its middle, if it has one that
    is steady; plucked notes die away.

    Parameters
    ----------
    decoded : DecodedRecordings
        Where they are recorded.
    recordings : list of int
        Single notes of one source, some of them `holdable`.
    rng : np.random.Generator
        Where all choices come from.
    even_out : bool
        Whether to take the decay out of a plucked note, as an amplifier that is turned up does.

    Returns
    -------
    np.ndarray [shape=(65536,), dtype=float32]
        The note.
    """
    rows = decoded.recordings
    notes = [n for n in recordings if holdable(rows[n].seconds)]
    notes = [n for n in notes if rows[n].seconds >= _LONG] or notes
    out = np.zeros(WINDOW, np.float32)
    before = rng.random() < 0.75
    time = 0.0 if before else rng.uniform(0, 0.9)
    end = WINDOW / SAMPLE_RATE if rng.random() < 0.7 else rng.uniform(1.8, 2.9)
    detune = rng.uniform(-0.4, 0.4)
    depth = rng.uniform(0.05, 0.25) if rng.random() < 0.12 else 0.0
    for number in rng.choice(notes, 2):
        sound = decoded.audio(int(number))
        if even_out:
            sound = level_decay(sound, rng.uniform(0.5, 0.95))
        skip = rng.uniform(0.05, min(0.8, 0.3 * len(sound) / SAMPLE_RATE)) if before else 0.0
        wanted = int((end - time + skip + 0.3) * SAMPLE_RATE * 1.03)
        if rows[int(number)].instrument not in _PLUCKED and rng.random() < 0.8:
            sound = sustain(sound, wanted, rng)
        curve = np.full(min(len(sound), wanted), detune)
        if depth:
            curve += depth * vibrato(len(curve), rng)
        sound = warp(sound, curve)
        seconds = min(end - time, len(sound) / SAMPLE_RATE - skip)
        if rng.random() < 0.25:
            sound = swell(sound, seconds + skip, rng.uniform(3, 12), rng)
        place(out, sound, time, seconds, skip, 1.0, rng.uniform(0.03, 0.3))
        time += seconds + rng.uniform(-0.03, 0.5)
        before = False
        if time > min(2.2, end - 0.3) or rng.random() < 0.6:
            break
    return out


def sustain(sound: Array, length: int, rng: Rng) -> Array:
    """Make a note longer by repeating pieces of its middle, faded over where the waves agree.

    Parameters
    ----------
    sound : np.ndarray [shape=(n,), dtype=float32]
        A note.
    length : int
        Samples that it should have.
    rng : np.random.Generator
        Where the pieces begin.

    Returns
    -------
    np.ndarray [shape=(m,), dtype=float32]
        `length` samples at least, or the sound as it was where that is long enough, or has no steady middle of 0.3 s.
    """
    if len(sound) >= length:
        return sound
    power = np.square(sound[: len(sound) // _FRAME * _FRAME].reshape(-1, _FRAME)).mean(axis=1)
    if not len(power) or power.max() <= 0:
        return sound
    steady = np.flatnonzero(power > np.median(power[power > power.max() * 1e-3]) * 0.25)  # 6 dB below the middle
    first, last = int(steady[0]) * _FRAME + _FRAME * 5, int(steady[-1]) * _FRAME - _FRAME * 2
    fade, search = 2 * _FRAME, 600  # 40 ms; a period of 37 Hz
    if last - first < SAMPLE_RATE * 0.3:
        return sound
    ramp = np.sin(np.linspace(0, np.pi / 2, fade, dtype=np.float32)) ** 2
    pieces = [sound[:last]]
    total = last
    while total < length:
        tail = pieces[-1][-fade:]
        start = int(rng.integers(first, first + max(1, (last - first) // 2 - search - fade)))
        agreement = np.correlate(sound[start : start + search + fade], tail, "valid")
        start += int(np.argmax(agreement))
        piece = sound[start:last].copy()
        if len(piece) <= 2 * fade:
            return sound
        loudness = np.sqrt(np.mean(tail * tail) / max(float(np.mean(piece[:fade] ** 2)), 1e-9))
        piece *= np.float32(np.clip(loudness, 0.5, 2))
        piece[:fade] = piece[:fade] * ramp + tail * (1 - ramp)
        pieces[-1] = pieces[-1][:-fade]
        pieces.append(piece)
        total += len(piece) - fade
    return np.concatenate(pieces)


def level_decay(sound: Array, share: float) -> Array:
    """Take so great a share of a note's decay away, in dB; at most 40 dB are made up for."""
    size = 4 * _FRAME
    power = np.convolve(np.square(sound), np.full(size, 1 / size, np.float32), "same")
    envelope = np.sqrt(np.maximum(power, power.max() * 1e-4 + 1e-12))
    return np.asarray(sound * (envelope.max() / envelope) ** share, np.float32)
