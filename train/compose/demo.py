"""The demo: seven soloists in turn over a small band, composed here and rendered with FluidSynth from FluidR3 GM."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import soundfile
import soxr

from stream.errors import SoloistError
from train.compose.demo_performance import accompany, perform
from train.compose.demo_tune import (
    PIECE,
    PLAYERS,
)
from train.compose.fluidsynth import RATE, SOUNDFONT, Audio, render_tracks

TAIL = 2.5  # s rendered after a passage, for releases and the room
SILENCE = 4.5  # s at the end: long enough for a window of 3 s to hear nothing else

SOLO_DB = -18.0  # RMS of every solo over its stretch
BAND_DB = -13.5  # the band against the solo above it
BREAK_DB = -5.0  # the band against where a solo would be, when it has the stage to itself
PEAK_DB = -1.5  # of the mix; lossy coding overshoots by up to half a decibel
QUALITY = 0.45  # libsndfile's compression level for Vorbis: 0 is best, 1 is smallest


def equalize(y: Audio, rate: int, *curve: tuple[float, float]) -> Audio:
    """Filter with zero phase along a curve of (hertz, decibels), interpolated over the logarithm of frequency."""
    hertz = np.maximum(np.fft.rfftfreq(len(y), 1 / rate), 1.0)
    gain = np.interp(np.log(hertz), np.log([point for point, _ in curve]), [level for _, level in curve])
    return np.fft.irfft(np.fft.rfft(y) * 10 ** (gain / 20), len(y))


# A closed cabinet's response: nothing below its resonance, a presence peak, a steep end at 5 kHz.
CABINET = (
    *((30, -50), (70, -12), (110, 1), (400, -3), (1000, -1)),
    *((2600, 4), (4500, 0), (6500, -18), (9000, -40)),
)


def amplify(y: Audio) -> Audio:
    """Send a clean guitar through an overdriven amplifier and a closed cabinet."""
    over = 4  # the harmonics made by clipping would fold back at the plain rate
    tight = equalize(y / np.abs(y).max(), RATE, (40, -30), (110, -6), (250, 0), (800, 6), (3000, 4), (9000, -12))
    hot = np.tanh(28 * soxr.resample(tight, RATE, over * RATE) + 0.25)
    clipped = np.resize(soxr.resample(hot, over * RATE, RATE), len(y))
    return equalize(clipped, RATE, *CABINET)


def reverberate(y: Audio, rng: np.random.Generator, seconds: float = 0.9, wet: float = 0.22) -> Audio:
    """Place dry sound in a small hall: a decaying noise, its highs dying first, as the room's response."""
    times = np.arange(round(seconds * RATE)) / RATE
    noise = rng.standard_normal(len(times))
    dark = equalize(noise, RATE, (100, -12), (250, 0), (1500, -2), (4000, -10), (10000, -30))
    response = (noise * np.exp(-times * 13.8 / seconds) * 0.3 + dark * np.exp(-times * 6.9 / seconds)) * (times > 0.012)
    response *= wet / np.sqrt(np.sum(response**2))
    size = len(y) + len(response)
    return y + np.fft.irfft(np.fft.rfft(y, size) * np.fft.rfft(response, size), size)[: len(y)]


def rms(y: Audio) -> float:
    """Root mean square in dBFS."""
    return float(10 * np.log10(np.mean(y**2) + 1e-20))


def mix(soundfont: Path) -> tuple[Audio, list[dict[str, float | str]]]:
    """Render the piece and balance it.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float64]
        The demo at `RATE`, in [-1, 1].
    list of dict
        Its true stretches: start and end in seconds, label.
    """
    rng = np.random.default_rng(7)
    total = sum(passage.seconds for passage in PIECE)
    size = round(total * RATE)
    band = reverberate(render_tracks(accompany(rng), total, soundfont), rng)
    solos, gains = np.zeros(size), np.zeros(size)
    segments: list[dict[str, float | str]] = []
    start = 0.0
    for passage in PIECE:
        end = start + passage.seconds
        here = slice(round(start * RATE), round(end * RATE))
        wanted = SOLO_DB + BREAK_DB
        if passage.voices:
            player = PLAYERS[passage.label]
            dry = render_tracks([perform(passage, player, rng)], passage.seconds + TAIL, soundfont)
            # A soloist who hands over stops the instrument; only the room still answers.
            dry *= np.interp(np.arange(len(dry)), np.array([0.02, 0.12]) * RATE + here.stop - here.start, [1, 0])
            coloured = equalize(dry, RATE, *player.tone) if player.tone else dry
            wet = reverberate(amplify(coloured) if player.amp else coloured, rng)
            wet *= 10 ** ((SOLO_DB - rms(wet[: here.stop - here.start])) / 20)
            room = min(len(wet), size - here.start)
            solos[here.start : here.start + room] += wet[:room]
            wanted = SOLO_DB + BAND_DB
        gains[here] = 10 ** ((wanted - rms(band[here])) / 20)
        segments.append({"start": start, "end": end, "label": passage.label})
        start = end
    # The band's fader takes a tenth of a second, so that no step is heard.
    ramp = np.hanning(RATE // 10)
    width = len(ramp) // 2
    gains = np.convolve(np.pad(gains, width, mode="edge"), ramp / ramp.sum(), mode="same")[width : width + size]
    mixed = solos + band * gains
    mixed *= np.interp(np.arange(size), [size - 0.3 * RATE, size], [1, 0])
    mixed *= 10 ** (PEAK_DB / 20) / np.abs(mixed).max()
    segments.append({"start": start, "end": start + SILENCE, "label": "silence"})
    return np.concatenate([mixed, np.zeros(round(SILENCE * RATE))]), segments


def write_demo(folder: Path, soundfont: Path = SOUNDFONT) -> tuple[Path, Path]:
    """Render demo.ogg and demo.json into a folder and return their paths."""
    y, segments = mix(soundfont)
    folder.mkdir(parents=True, exist_ok=True)
    ogg, table = folder / "demo.ogg", folder / "demo.json"
    with soundfile.SoundFile(ogg, "w", RATE, 1, format="OGG", subtype="VORBIS", compression_level=QUALITY) as file:
        # libsndfile puts a whole call on the stack when it encodes Vorbis, so it gets a second at a time.
        for block in np.split(y, range(RATE, len(y), RATE)):
            file.write(block)
    about = {
        "title": "Seven in Turn",
        "made_with": "composed for Soloist (MIT), python -m train.compose.demo, "
        "FluidSynth and the FluidR3 GM soundfont (MIT)",
        "seconds": len(y) / RATE,
        "segments": segments,
    }
    table.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return ogg, table


def main(argv: list[str] | None = None) -> int:
    """Render the demo from the command line."""
    parser = argparse.ArgumentParser(prog="python -m train.compose.demo", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("stream"), help="folder for demo.ogg and demo.json")
    parser.add_argument("--soundfont", type=Path, default=SOUNDFONT, help="the FluidR3 GM soundfont")
    arguments = parser.parse_args(argv)
    try:
        paths = write_demo(arguments.out, arguments.soundfont)
    except SoloistError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for path in paths:
        sys.stdout.write(f"{path}  {path.stat().st_size} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
