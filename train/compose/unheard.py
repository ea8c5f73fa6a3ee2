"""Instruments that no model is trained on, from two sound fonts, to try an embedding on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr

from stream.recognition.mel import SAMPLE_RATE
from train.compose import effects
from train.compose.fluidsynth import RATE, SOUNDFONT, MidiTrack, render_tracks
from train.datasets.clips import Array

UNHEARD: Final = {
    "banjo": (105, 50, 74),
    "bagpipe": (109, 57, 76),
    "harmonica": (22, 60, 84),
    "harp": (46, 40, 84),
    "harpsichord": (6, 41, 84),
    "koto": (107, 50, 79),
    "marimba": (12, 48, 84),
    "pan flute": (75, 62, 86),
    "sitar": (104, 48, 72),
    "steel drum": (114, 55, 79),
    "tuba": (58, 29, 53),
    "vibraphone": (11, 53, 84),
}
"""General MIDI programs, counted from 0, with the lowest and the highest key that is played."""

FONTS: Final = {
    "fluidr3": SOUNDFONT,
    "timgm6mb": Path("/usr/share/sounds/sf2/TimGM6mb.sf2"),
}
"""Two fonts with samples of their own."""

SECONDS: Final = 36.0
"""Of each instrument and font: other melodies in each."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """Some melodies of one instrument, from one font."""

    instrument: str
    font: str
    audio: Array
    """Mono at 22 050 Hz."""


def render_unheard(cache: Path, instruments: tuple[str, ...] = tuple(UNHEARD)) -> list[Rendering]:
    """Render melodies of instruments that are none of the labels, or read them from the cache.

    Parameters
    ----------
    cache : Path
        Folder that they are kept in.
    instruments : tuple of str
        Some of `UNHEARD`.

    Raises
    ------
    RuntimeMissingError
        If FluidSynth or a font is not installed.
    """
    folder = cache / "unheard"
    folder.mkdir(parents=True, exist_ok=True)
    rendered = []
    for instrument in instruments:
        for font, file in FONTS.items():
            state = hashlib.sha256(Path(__file__).read_bytes() + instrument.encode() + font.encode())
            path = folder / f"{state.hexdigest()[:24]}.flac"
            if not path.exists():
                unfinished = path.with_suffix(".part")
                soundfile.write(unfinished, _render(instrument, font, file), SAMPLE_RATE, format="FLAC")
                unfinished.replace(path)
            rendered.append(Rendering(instrument, font, soundfile.read(path, dtype="float32")[0]))
    return rendered


def _render(instrument: str, font: str, file: Path) -> Array:
    """Play phrases of a scale up and down, slow and quick, with rests between."""
    program, low, high = UNHEARD[instrument]
    seed = hashlib.sha256(f"{instrument} {font}".encode()).digest()
    rng = np.random.default_rng(list(seed[:8]))
    track = MidiTrack(program)
    at, key = 0.1, float(rng.uniform(low, high))
    scale = np.array([0, 2, 4, 5, 7, 9, 11]) + rng.integers(12)
    keys = [k for k in range(low, high + 1) if (k - scale[0]) % 12 in (scale - scale[0])]
    while at < SECONDS - 1:
        beat = float(rng.choice([0.2, 0.3, 0.45, 0.8]))
        for _ in range(int(rng.integers(4, 10))):
            place = int(np.argmin(np.abs(np.array(keys) - key))) + int(rng.integers(-3, 4))
            key = float(keys[min(max(place, 0), len(keys) - 1)])
            length = beat * float(rng.choice([1, 1, 2]))
            if at + length > SECONDS:  # a note that is never released sounds for ever, and FluidSynth with it
                break
            track.note(at, at + length * float(rng.uniform(0.7, 1.0)), int(key), float(rng.uniform(60, 115)))
            at += length
        at += float(rng.uniform(0, 0.4))
    sound = soxr.resample(render_tracks([track], SECONDS, file), RATE, SAMPLE_RATE, "HQ").astype(np.float32)
    sound = effects.room(sound, None, rng)
    return np.asarray(effects.level(sound, 0.1).clip(-1, 1), np.float32)
