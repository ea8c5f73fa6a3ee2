"""What is nobody's playing: tones, hum, feedback, sweeps, bursts of noise, applause, the tone of a room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.recognition.mel import SAMPLE_RATE, WINDOW
from train.compose import effects
from train.compose.effects import level
from train.compose.notes import Array, Rng

_TIME: Final = np.arange(WINDOW) / SAMPLE_RATE
_Curve = npt.NDArray[np.float64]


def disturbance(rng: Rng) -> Array:
    """Make a window of something that is no instrument.

    Returns
    -------
    np.ndarray [shape=(65536,), dtype=float32]
        Of RMS 1.
    """
    kinds, weights = zip(*_KINDS, strict=True)
    chosen: Callable[[Rng], npt.NDArray[np.floating]] = kinds[rng.choice(len(kinds), p=np.array(weights))]
    return level(np.asarray(chosen(rng), np.float32), 1.0)


def tones(rng: Rng) -> _Curve:
    """Sound one to four steady tones, sines or other plain waves, for the whole window or in beeps."""
    sound = np.zeros(WINDOW)
    for _ in range(int(rng.choice([1, 1, 1, 2, 3, 4]))):
        hertz = np.exp(rng.uniform(np.log(60), np.log(6000)))
        sound += 10 ** (rng.uniform(-15, 0) / 20) * _wave(2 * np.pi * hertz * _TIME, hertz, rng)
    draw = rng.random()
    if draw < 0.35:
        period, share = rng.uniform(0.1, 1.5), rng.uniform(0.2, 0.8)
        gate = ((_TIME + rng.uniform(0, period)) % period < share * period).astype(np.float64)
        sound *= np.convolve(gate, np.full(221, 1 / 221), "same")
    elif draw < 0.5:
        sound *= 1 - rng.uniform(0.2, 1) * (0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.3, 12) * _TIME))
    return sound


def sweep(rng: Rng) -> _Curve:
    """Sweep a tone up or down, or let it wail like a siren."""
    low, high = np.exp(np.sort(rng.uniform(np.log(50), np.log(8000), 2)))
    if rng.random() < 0.3:
        place = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.2, 3) * _TIME + rng.uniform(0, 6))
    else:
        place = _TIME / _TIME[-1] if rng.random() < 0.5 else 1 - _TIME / _TIME[-1]
    hertz = low * (high / low) ** place
    return _wave(2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE, high, rng)


def hum(rng: Rng) -> _Curve:
    """Make mains hum and its harmonics, some of them loud, over a little hiss."""
    partials = rng.choice([50, 60]) * np.arange(1, 25)[:, None]
    gains = 10 ** (rng.uniform(-45, 0, (24, 1)) / 20)
    buzz = (gains * np.sin(2 * np.pi * partials * _TIME + rng.uniform(0, 6, (24, 1)))).sum(axis=0)
    hiss = 10 ** (rng.uniform(-60, -15) / 20) * np.std(buzz) * rng.standard_normal(WINDOW)
    return np.asarray(buzz + hiss)


def howl(rng: Rng) -> _Curve:
    """Let one or two tones grow until something limits them, over a room that is heard again and again."""
    sound = 0.01 * rng.uniform(0.1, 1) * np.asarray(effects.feedback(effects.noise(rng), rng), np.float64)
    for _ in range(int(rng.choice([1, 1, 2]))):
        hertz = np.exp(rng.uniform(np.log(150), np.log(4500)))
        growth = rng.uniform(-10, 60)  # dB in a second
        start = rng.uniform(-50, -5)
        gain = 10 ** (np.minimum(start + growth * _TIME, rng.uniform(-3, 15)) / 20)
        drift = 1 + 0.002 * np.cumsum(rng.standard_normal(WINDOW // 512 + 1)).repeat(512)[:WINDOW] / 10
        sound += gain * np.sin(2 * np.pi * np.cumsum(hertz * drift) / SAMPLE_RATE)
    return np.tanh(rng.uniform(0.7, 3) * sound)


def bursts(rng: Rng) -> _Curve:
    """Burst with coloured noise: plugs, knocks, handling, wind."""
    sound = np.zeros(WINDOW)
    for _ in range(int(rng.integers(1, 12))):
        start = int(rng.integers(WINDOW))
        length = int(SAMPLE_RATE * np.exp(rng.uniform(np.log(0.004), np.log(1.0))))
        piece = np.asarray(effects.noise(rng)[:length], np.float64) * 10 ** (rng.uniform(-20, 0) / 20)
        piece *= np.exp(-np.linspace(0, rng.uniform(0.5, 7), len(piece)))
        rise = min(len(piece), int(rng.uniform(2, 800)))
        piece[:rise] *= np.linspace(0, 1, rise)
        piece = piece[: WINDOW - start]
        sound[start : start + len(piece)] += piece
    return sound


def applause(rng: Rng) -> _Curve:
    """Clap hands, a few or dozens, each with a sound and a pace of its own."""
    sound = np.zeros(WINDOW)
    for _ in range(int(np.exp(rng.uniform(np.log(3), np.log(40))))):
        length = int(rng.uniform(0.006, 0.03) * SAMPLE_RATE)
        clap = rng.standard_normal(length) * np.exp(-np.linspace(0, rng.uniform(4, 8), length))
        clap = np.convolve(clap, np.hanning(int(rng.integers(3, 30))), "same") * 10 ** (rng.uniform(-20, 0) / 20)
        pace = rng.uniform(0.12, 0.4)
        for at in np.arange(rng.uniform(-pace, 0), WINDOW / SAMPLE_RATE, pace) + rng.normal(0, 0.02):
            start = int((at + rng.normal(0, 0.02)) * SAMPLE_RATE)
            if 0 <= start < WINDOW - length:
                sound[start : start + length] += clap * rng.uniform(0.5, 1)
    hall = np.asarray(effects.room(np.asarray(sound, np.float32), effects.hall(rng), rng), np.float64)
    return hall * (0.6 + 0.4 * np.sin(np.linspace(0, rng.uniform(0, 5), WINDOW) + rng.uniform(0, 6)))


def room_tone(rng: Rng) -> _Curve:
    """Hear a room in which nothing happens: noise of two colours, ventilation, a far hum, a click now and then."""
    sound = np.asarray(effects.noise(rng) + rng.uniform(0, 1) * effects.noise(rng), np.float64)
    sound *= 1 + rng.uniform(0, 0.3) * np.sin(2 * np.pi * rng.uniform(0.2, 4) * _TIME)
    if rng.random() < 0.4:
        sound += rng.uniform(0.02, 0.5) * hum(rng)
    for at in rng.integers(0, WINDOW, int(rng.integers(0, 6))):
        sound[at : at + 40] += rng.uniform(1, 15) * rng.standard_normal(len(sound[at : at + 40]))
    return sound


def _noise(rng: Rng) -> Array:
    return effects.noise(rng)


_KINDS: Final = (
    (tones, 0.24),
    (sweep, 0.1),
    (hum, 0.1),
    (howl, 0.14),
    (bursts, 0.12),
    (applause, 0.1),
    (room_tone, 0.12),
    (_noise, 0.08),
)


def _wave(phase: _Curve, hertz: float, rng: Rng) -> _Curve:
    """Make a sine, mostly, or a plain wave of up to 30 partials below 10 kHz."""
    kind = rng.choice(["sine", "saw", "square", "triangle"], p=[0.6, 0.15, 0.15, 0.1])
    if kind == "sine":
        return np.asarray(np.sin(phase))
    sound = np.zeros_like(phase)
    for partial in range(1, int(min(30, 10_000 / hertz)) + 1):
        if kind == "saw" or partial % 2:
            sound += np.sin(partial * phase) / partial ** (2 if kind == "triangle" else 1)
    return sound
