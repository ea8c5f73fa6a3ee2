"""The whole way with the demo's own instruments: render other tunes, train on them, and serve what came out."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("tensorflow", reason="needs the train extra")
pytest.importorskip("pedalboard", reason="needs the train extra")

from stream.client import Client
from stream.protocol.messages import Hello, Label
from stream.recognition.bundle import load
from tests.support.processes import serving, soloist
from tests.support.tensorflow_warnings import ignore_tensorflow_warnings
from train.__main__ import main
from train.compose import demo, demo_performance, fluidsynth
from train.compose.demo_tune import CHORDS, PLAYERS, Passage

pytestmark = [
    ignore_tensorflow_warnings,
    pytest.mark.skipif(shutil.which("fluidsynth") is None, reason="fluidsynth is not installed"),
    pytest.mark.skipif(not fluidsynth.SOUNDFONT.is_file(), reason="fluid-soundfont-gm is not installed"),
]

RANGES = {"clarinet": (55, 82), "distorted electric guitar": (45, 74), "piano": (48, 84)}
"""Lowest and highest note that each plays, as MIDI numbers."""

TUNES = 12
BARS = 4
NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
RHYTHMS = ("1 1 1 1", ".5 .5 1 .5 .5 1", "1.5 .5 1 1", ".25 .25 .5 1 2", "1 .5 .5 2", ".5 .5 .5 .5 1 1")


def tune(label: str, rng: np.random.Generator) -> Passage:
    """Compose four bars over chords of the demo: a line of steps and leaps, in chords where the player has them."""
    scale = np.flatnonzero(np.isin(np.arange(128) % 12, (rng.integers(12) + np.array([0, 2, 4, 5, 7, 9, 11])) % 12))
    low, high = np.searchsorted(scale, RANGES[label])
    at = int(rng.integers(low, high))
    bars = []
    for _ in range(BARS):
        notes = []
        for beats in str(rng.choice(RHYTHMS)).split():
            at = int(np.clip(at + rng.choice([-4, -2, -1, -1, 1, 1, 2, 4]), low, high - 1))
            pitches = [scale[at]]
            if label != "clarinet" and rng.random() < 0.4:
                pitches += [scale[at] + 7] if "guitar" in label else [scale[at - 2], scale[at - 4]]
            named = "+".join(f"{NAMES[p % 12]}{p // 12 - 1}" for p in pitches)
            notes.append(f"{named}:{beats}{rng.choice(['', '', '>'])}")
        bars.append(" ".join(notes))
    return Passage(label, " ".join(rng.choice(list(CHORDS), BARS)), (" | ".join(bars),))


def render(root: Path) -> None:
    """Write a dozen tunes of each player, every second one over the demo's band."""
    rng = np.random.default_rng(0)
    band = fluidsynth.render_tracks(demo_performance.accompany(rng), 60, fluidsynth.SOUNDFONT)
    for label in RANGES:
        (root / label).mkdir(parents=True)
        player = PLAYERS[label]
        for number in range(TUNES):
            passage = tune(label, rng)
            solo = fluidsynth.render_tracks(
                [demo_performance.perform(passage, player, rng)], passage.seconds, fluidsynth.SOUNDFONT
            )
            solo = demo.equalize(solo, fluidsynth.RATE, *player.tone) if player.tone else solo
            solo = demo.reverberate(demo.amplify(solo) if player.amp else solo, rng)
            solo /= np.abs(solo).max()
            if number % 2:
                start = int(rng.integers(len(band) - len(solo)))
                under = band[start : start + len(solo)]
                solo += under * 10 ** ((demo.rms(solo) - rng.uniform(8, 16) - demo.rms(under)) / 20)
            soundfile.write(root / label / f"{number}.flac", 0.5 * solo / np.abs(solo).max(), fluidsynth.RATE)


async def test_three_of_the_demos_players_are_learned_and_served(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """From recordings, by the weights of `residual`, to a bundle that the service runs, and that hears the three."""
    data, out = tmp_path / "tunes", tmp_path / "models"
    render(data)
    caplog.set_level(logging.INFO)
    flags = f"--data {data} --out {out} --name three --cache {tmp_path / 'cache'} --seed 1 --processes 1"
    assert main(["fit", *flags.split()]) == 0
    assert "starting from the weights of residual" in caplog.text
    assert "began with the weights of `residual`" in (out / "three.md").read_text()
    bundle = load(out / "three.json")
    assert bundle.labels == tuple(RANGES)
    assert bundle.info["metrics"]["test clips"]["class_average"] > 0.8

    demo_ogg = resources.files("stream") / "demo.ogg"
    status, heard, _ = await soloist("classify", "--json", "--model", str(out / "three.json"), str(demo_ogg))
    assert status == 0
    segments = json.loads(heard)["segments"]
    for passage in json.loads(demo_ogg.with_suffix(".json").read_text())["segments"]:
        if passage["label"] in RANGES:
            seconds = dict.fromkeys((*RANGES, "unknown"), 0.0)
            for segment in segments:
                # What is heard in the passage's first window is still of the one before.
                overlap = min(segment["end"], passage["end"]) - max(segment["start"], passage["start"] + 3)
                seconds[segment["label"]] = seconds.get(segment["label"], 0.0) + max(0.0, overlap)
            assert max(seconds, key=seconds.__getitem__) == passage["label"], (passage, seconds)

    async with (
        serving("--input", "demo", "--model", str(out / "three.json")) as service,
        asyncio.timeout(60),
        Client(service.address) as client,
    ):
        async for message in client:
            if isinstance(message, Hello):
                assert (message.model, tuple(message.labels)) == ("three", tuple(RANGES))
            if isinstance(message, Label) and message.state == "instrument":
                assert message.label in RANGES
                break
