"""MIDI tracks, and FluidSynth that renders them from a sound font."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import mido
import numpy as np
import soundfile
from numpy.typing import NDArray

from stream.errors import RuntimeMissingError
from train.compose.demo_tune import (
    BEAT,
    BPM,
)

Audio = NDArray[np.float64]

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")

RATE = 44_100

TICKS = 480


class MidiTrack:
    """Events of one MIDI channel at times in seconds, in any order."""

    def __init__(self, program: int, channel: int = 0) -> None:
        self.channel = channel
        self.events: list[tuple[float, mido.Message]] = []
        self.send(0, "program_change", program=program)

    def send(self, at: float, kind: str, **fields: int) -> None:
        """Add a channel message at `at` seconds."""
        self.events.append((max(at, 0.0), mido.Message(kind, channel=self.channel, **fields)))

    def control(self, at: float, control: int, value: float) -> None:
        """Set a controller."""
        self.send(at, "control_change", control=control, value=int(np.clip(round(value), 0, 127)))

    def bend(self, at: float, cents: float) -> None:
        """Bend all sounding notes; the wheel's range is General MIDI's two semitones."""
        self.send(at, "pitchwheel", pitch=int(np.clip(round(cents / 200 * 8192), -8192, 8191)))

    def note(self, start: float, end: float, key: int, velocity: float) -> None:
        """Sound a key from `start` to `end`."""
        self.send(start, "note_on", note=key, velocity=int(np.clip(round(velocity), 1, 127)))
        self.send(end, "note_off", note=key)


def render_tracks(tracks: list[MidiTrack], seconds: float, soundfont: Path) -> Audio:
    """Synthesize tracks to dry mono.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float64]
        `seconds` of mono audio at `RATE`.

    Raises
    ------
    RuntimeMissingError
        If FluidSynth or the soundfont is not installed, or FluidSynth fails.
    """
    fluidsynth = shutil.which("fluidsynth")
    if fluidsynth is None or not soundfont.is_file():
        missing = soundfont if fluidsynth else "the fluidsynth command"
        raise RuntimeMissingError(
            f"rendering the demo needs {missing}; install the Debian packages fluidsynth and fluid-soundfont-gm"
        )
    midi = mido.MidiFile(ticks_per_beat=TICKS)
    for track in tracks:
        now, messages = 0, mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(BPM))])
        # At one instant a release comes before anything that starts.
        for at, message in sorted(track.events, key=lambda event: (event[0], event[1].type != "note_off")):
            tick = round(at / BEAT * TICKS)
            messages.append(message.copy(time=tick - now))
            now = tick
        messages.append(mido.MetaMessage("end_of_track", time=max(0, round(seconds / BEAT * TICKS) - now)))
        midi.tracks.append(messages)
    with tempfile.TemporaryDirectory() as folder:
        score, wav = Path(folder, "score.mid"), Path(folder, "score.wav")
        midi.save(score)
        # Dry, and quiet enough not to clip: the room and the levels are made here.
        options = ["-ni", "-q", "-R", "0", "-C", "0", "-g", "0.4", "-r", str(RATE), "-O", "float", "-T", "wav"]
        command = [fluidsynth, *options, "-F", str(wav), str(soundfont), str(score)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not wav.is_file():
            raise RuntimeMissingError(f"fluidsynth failed with status {done.returncode}: {done.stderr.strip()[-200:]}")
        stereo, _ = soundfile.read(wav, dtype="float64", always_2d=True)
    mono = np.zeros(round(seconds * RATE))
    length = min(len(mono), len(stereo))
    mono[:length] = stereo[:length].mean(axis=1)
    return mono
