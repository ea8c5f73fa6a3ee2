"""What happens to a sound between the instrument and the file: amplifier, room, microphone, mixing desk, codec."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pedalboard
import soundfile
import soxr
from scipy.signal import fftconvolve

from stream.recognition.mel import SAMPLE_RATE, WINDOW

Array = npt.NDArray[np.float32]
Rng = np.random.Generator


def amplifier(sound: Array, rng: Rng) -> Array:
    """Drive a clean guitar through a pedal, a valve stage or two and a loudspeaker.

    The stages clip asymmetrically, at four times the sample rate to keep aliases out; between them coupling capacitors
    take the lows away, and the loudspeaker takes what lies above 3 to 8 kHz.

    Parameters
    ----------
    sound : np.ndarray [shape=(n,), dtype=float32]
        Clean guitar, any level.
    rng : np.random.Generator
        Where all choices come from.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float32]
        Distorted guitar.
    """
    sound = level(sound, 1.0)
    sound = _apply([pedalboard.HighpassFilter(rng.uniform(60, 250)), _random_peak(rng, 400, 1500, 0, 12)], sound)
    if rng.random() < 0.2:  # a sustainer
        sound = level(
            _apply([pedalboard.Compressor(rng.uniform(-40, -20), rng.uniform(3, 10), 2, 200)], level(sound, 0.1)), 1.0
        )
    # A third is crunch: notes that decay as they were plucked, with a few harmonics more. Solos are not all saturated.
    crunch = rng.random() < 0.35
    drive = rng.uniform(-8, 12) if crunch else rng.uniform(10, 48)
    loud = soxr.resample(sound, 1, 4, "MQ")
    stages = 1 if crunch else int(rng.integers(1, 4))
    for _ in range(stages):
        bias = rng.uniform(0, 0.4)
        loud = np.tanh(loud * 10 ** (drive / stages / 20) + bias) - np.tanh(bias)
        loud = pedalboard.HighpassFilter(rng.uniform(20, 150))(loud.astype(np.float32), SAMPLE_RATE * 4)
    driven = soxr.resample(loud, 4, 1, "MQ")[: len(sound)]
    if rng.random() < 0.5:  # a loudspeaker's steep end, as many poles as it takes
        end = rng.uniform(3500, 7000)
        slopes: list[pedalboard.Plugin] = [
            pedalboard.LadderFilter(pedalboard.LadderFilter.Mode.LPF24, end, 0, 1) for _ in range(2)
        ]
    else:
        slopes = [pedalboard.LowpassFilter(rng.uniform(2500, 8000)) for _ in range(int(rng.integers(2, 5)))]
    cabinet = [
        pedalboard.HighpassFilter(rng.uniform(50, 120)),
        _random_peak(rng, 80, 180, -2, 8),
        _random_peak(rng, 300, 800, -10, 3),
        _random_peak(rng, 1500, 4000, 0, 10),
        *slopes,
    ]
    if rng.random() < 0.1:
        cabinet.append(pedalboard.Phaser(rng.uniform(0.2, 3), rng.uniform(0.3, 1), mix=rng.uniform(0.2, 0.5)))
    if rng.random() < 0.3:
        cabinet.append(pedalboard.Chorus(rng.uniform(0.3, 2), rng.uniform(0.1, 0.4), mix=rng.uniform(0.2, 0.5)))
    if rng.random() < 0.3:
        cabinet.append(pedalboard.Delay(rng.uniform(0.08, 0.5), rng.uniform(0, 0.5), rng.uniform(0.1, 0.4)))
    hiss = rng.standard_normal(len(driven)).astype(np.float32) * np.float32(10 ** (-rng.uniform(35, 80) / 20))
    return _apply(cabinet, level(driven, 1.0) + hiss)


def blow_harder(sound: Array, rng: Rng) -> Array:
    """Blow harder: steepen the wave and raise the upper partials; parameters and result as for `amplifier`.

    Loud brass and reeds differ from soft ones by 10 to 15 dB above 1.5 kHz. Libraries record mostly the middle.
    """
    brighter: list[pedalboard.Plugin] = [
        pedalboard.HighShelfFilter(rng.uniform(700, 2500), rng.uniform(2, 14), rng.uniform(0.4, 0.8))
    ]
    if rng.random() < 0.4:
        drive, bias = 10 ** (rng.uniform(-6, 10) / 20), rng.uniform(0, 0.5)
        sound = (np.tanh(level(sound, 0.5) * drive + bias) - np.tanh(bias)).astype(np.float32)
    return _apply(brighter, sound)


def darken(sound: Array, rng: Rng) -> Array:
    """Turn the tone control of a guitar down, or stand behind its loudspeaker; as for `amplifier`."""
    return _apply([pedalboard.LowpassFilter(rng.uniform(700, 2500)) for _ in range(2)], sound)


def even_partials(sound: Array, rng: Rng) -> Array:
    """Add even partials, as a reed has them in its upper register and when it is blown hard; as for `amplifier`."""
    sound = level(sound, 0.2)
    share = np.float32(rng.uniform(0.2, 1.5))
    return _apply([pedalboard.HighpassFilter(rng.uniform(60, 200))], sound + share * sound * sound)


def room(sound: Array, impulse: Array | None, rng: Rng) -> Array:
    """Put a sound into a room.

    Parameters
    ----------
    sound : np.ndarray [shape=(n,), dtype=float32]
        Dry sound.
    impulse : np.ndarray [shape=(m,), dtype=float32] or None
        Measured impulse response; None for an artificial room.
    rng : np.random.Generator
        Where all choices come from.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float32]
        The sound in the room.
    """
    wet = rng.uniform(0.1, 0.9) ** 1.5
    if impulse is None:
        size, damping = rng.uniform(0.05, 0.9), rng.uniform(0, 1)
        return _apply([pedalboard.Reverb(size, damping, wet_level=wet * 0.5, dry_level=1 - wet)], sound)
    impulse = soxr.resample(impulse, 1, rng.uniform(0.75, 1.3), "MQ")
    decay = np.exp(-np.arange(len(impulse)) / SAMPLE_RATE / rng.uniform(0.15, 3))
    wet_sound = fftconvolve(sound, (impulse * decay).astype(np.float32))[: len(sound)]
    return level(sound, 1 - wet) + level(wet_sound, wet)


def hall(rng: Rng) -> Array:
    """Make the impulse response of a room that was not measured: early reflections, and a tail darker by the second.

    Returns
    -------
    np.ndarray [shape=(m,), dtype=float32]
        0.3 to 3.5 s, without the direct sound.
    """
    seconds = np.exp(rng.uniform(np.log(0.3), np.log(3.5)))  # in which it decays by 60 dB
    time = np.arange(int(seconds * SAMPLE_RATE), dtype=np.float32) / SAMPLE_RATE
    bright = rng.standard_normal(len(time)).astype(np.float32)
    dark = pedalboard.LowpassFilter(rng.uniform(400, 4000))(bright, SAMPLE_RATE)
    faster = rng.uniform(2, 6)  # the air and the walls take the highs first
    tail = dark * np.exp(-6.9 / seconds * time) + (bright - dark) * np.exp(-6.9 * faster / seconds * time)
    tail *= np.clip(time / rng.uniform(0.005, 0.08), 0, 1)
    for _ in range(int(rng.integers(3, 12))):
        at = rng.uniform(0.003, 0.09)
        tail[int(at * SAMPLE_RATE)] += rng.choice([-1, 1]) * rng.uniform(1, 8) * np.exp(-at / 0.03)
    return np.asarray(tail, np.float32)


def microphone_response(sound: Array, rng: Rng) -> Array:
    """Hear a player through a microphone: proximity, presence, and what comes by way of the floor or a music stand.

    Parameters and result as for `amplifier`.
    """
    chain: list[pedalboard.Plugin] = [
        pedalboard.LowShelfFilter(rng.uniform(80, 300), rng.uniform(-8, 8)),
        _random_peak(rng, 2500, 9000, -3, 8),
        pedalboard.HighpassFilter(rng.uniform(20, 120)),
    ]
    if rng.random() < 0.6:
        delay, gain = int(rng.uniform(0.0003, 0.006) * SAMPLE_RATE), rng.uniform(-0.7, 0.7)
        sound = sound.copy()
        sound[delay:] += np.float32(gain) * sound[:-delay]
    return _apply(chain, sound)


def feedback(sound: Array, rng: Rng) -> Array:
    """Let a loudspeaker sound back into the microphone, close to howling; parameters and result as for `amplifier`.

    The loop has a delay of some metres and a few resonances. It is solved exactly, as a filter 1 / (1 - loop).
    """
    size = 2 * len(sound)
    frequency = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    octaves = np.log2(np.maximum(frequency, 20))
    colour = np.zeros_like(octaves)
    for _ in range(int(rng.integers(1, 4))):
        centre, width = np.log2(rng.uniform(150, 4000)), rng.uniform(0.05, 0.8)
        colour += rng.uniform(0.3, 1) * np.exp(-0.5 * ((octaves - centre) / width) ** 2)
    loop = rng.uniform(0.4, 0.95) * colour / colour.max()
    delay = rng.uniform(0.004, 0.04)
    spectrum = np.fft.rfft(sound, size) / (1 - loop * np.exp(-2j * np.pi * frequency * delay))
    return np.asarray(np.fft.irfft(spectrum)[: len(sound)], np.float32)


def mixing_desk(sound: Array, rng: Rng) -> Array:
    """Equalise and compress as a mixing desk does; parameters and result as for `amplifier`."""
    chain: list[pedalboard.Plugin] = []
    if rng.random() < 0.7:
        chain += [
            pedalboard.LowShelfFilter(rng.uniform(80, 500), rng.normal(0, 4)),
            pedalboard.HighShelfFilter(rng.uniform(1500, 6000), rng.normal(0, 5)),
            _random_peak(rng, 200, 5000, -8, 8),
            _random_peak(rng, 200, 5000, -5, 5),
        ]
    if rng.random() < 0.3:
        chain.append(pedalboard.HighpassFilter(rng.uniform(30, 250)))
    if rng.random() < 0.25:
        chain += [pedalboard.LowpassFilter(rng.uniform(4000, 10500)) for _ in range(int(rng.integers(1, 4)))]
    if rng.random() < 0.35:
        sound = level(sound, 0.1)
        chain.append(pedalboard.Compressor(rng.uniform(-35, -15), rng.uniform(2, 8), rng.uniform(1, 30), 150))
    return _apply(chain, sound)


def codec(sound: Array, rng: Rng) -> Array:
    """Encode and decode with a lossy codec, MP3 or Vorbis; parameters and result as for `amplifier`."""
    sound = level(sound, 0.15).clip(-1, 1)
    if rng.random() < 0.6:
        return _apply([pedalboard.MP3Compressor(rng.uniform(2, 9.5))], sound)
    coded = io.BytesIO()
    soundfile.write(coded, sound, SAMPLE_RATE, "VORBIS", format="OGG", compression_level=rng.uniform(0.5, 1))
    coded.seek(0)
    decoded, _ = soundfile.read(coded, len(sound), dtype="float32", fill_value=0.0)
    return np.asarray(decoded, np.float32)


def noise(rng: Rng) -> Array:
    """Make a window of noise of random colour, sometimes with mains hum.

    Returns
    -------
    np.ndarray [shape=(65536,), dtype=float32]
        Noise of RMS 1.
    """
    spectrum = np.fft.rfft(rng.standard_normal(WINDOW))
    frequency = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE)
    slope = rng.uniform(-1.6, 0.3)
    spectrum *= (np.maximum(frequency, 30) / 1000) ** slope
    sound = np.fft.irfft(spectrum).astype(np.float32)
    if rng.random() < 0.15:
        hum = rng.choice([50, 60]) * np.arange(1, 13)[:, None] * np.arange(WINDOW) / SAMPLE_RATE
        tones = 10 ** (rng.uniform(-40, 0, (12, 1)) / 20) * np.sin(2 * np.pi * hum)
        return level(level(sound, 1.0) + level(tones.sum(axis=0).astype(np.float32), rng.uniform(0.5, 3)), 1.0)
    return level(sound, 1.0)


def level(sound: Array, rms: float) -> Array:
    """Scale a sound to an RMS; silence stays silence."""
    now = float(np.sqrt(np.mean(np.square(sound), dtype=np.float64)))
    return sound * np.float32(rms / now) if now > 1e-9 else sound


def activity(sound: Array) -> float:
    """Share of a sound's stretches of 23 ms that are within 35 dB of its loudest one; 0 for silence."""
    power = np.square(sound[: len(sound) // 512 * 512].reshape(-1, 512)).mean(axis=1)
    return float(np.mean(power > power.max() * 10**-3.5)) if power.max() > 0 else 0.0


def _random_peak(rng: Rng, low: float, high: float, least: float, most: float) -> pedalboard.Plugin:
    """One band of an equaliser between `low` and `high` Hz, `least` to `most` dB."""
    centre = np.exp(rng.uniform(np.log(low), np.log(high)))
    return pedalboard.PeakFilter(centre, rng.uniform(least, most), rng.uniform(0.4, 2))


def _apply(chain: list[pedalboard.Plugin], sound: Array) -> Array:
    return np.asarray(pedalboard.Chain(chain)(sound, SAMPLE_RATE), np.float32) if chain else sound
