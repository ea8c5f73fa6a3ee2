"""The demo: seven soloists in turn over a small band, composed here and rendered with FluidSynth from FluidR3 GM."""

import argparse
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import mido
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from stream.errors import RuntimeMissingError, SoloistError
from train.compose.demo_tune import (
    BASS,
    BASS_PROGRAM,
    BEAT,
    BPM,
    BRUSH_PROGRAM,
    BRUSHES,
    CHORDS,
    FILL,
    PAD_PROGRAM,
    PIECE,
    PLAYERS,
    PLUCK_PROGRAM,
    PLUCKS,
    Note,
    Passage,
    Player,
    notes,
    pitch,
)

Audio = NDArray[np.float64]

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
RATE = 44_100
TICKS = 480
TAIL = 2.5  # s rendered after a passage, for releases and the room
SILENCE = 4.5  # s at the end: long enough for a window of 3 s to hear nothing else

SOLO_DB = -18.0  # RMS of every solo over its stretch
BAND_DB = -13.5  # the band against the solo above it
BREAK_DB = -5.0  # the band against where a solo would be, when it has the stage to itself
PEAK_DB = -1.5  # of the mix; lossy coding overshoots by up to half a decibel
QUALITY = 0.45  # libsndfile's compression level for Vorbis: 0 is best, 1 is smallest


class Track:
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


def expression(track: Track, player: Player, note: Note, start: float, seconds: float) -> None:
    """Give a note its life between attack and end: bend or scoop, late vibrato, swell."""
    times = np.arange(0, seconds, 0.01)
    depth = player.vibrato * np.clip((times - 0.25) / 0.35, 0, 1) * np.clip((seconds - times) / 0.08, 0, 1)
    cents = depth * np.sin(2 * np.pi * player.vibrato_hz * np.maximum(times - 0.25, 0))
    if "/" in note.marks:
        cents -= 100 * np.clip(1 - times / 0.09, 0, 1)
    elif "^" in note.marks:
        cents -= 200 * np.clip(1 - times / (0.3 * seconds), 0, 1) ** 0.7
    if len(note.pitches) == 1 and player.vibrato:
        for time, value in zip(times, cents, strict=True):
            track.bend(start + time, value)
    if player.swell:
        # Short notes sit at their height, long ones breathe: up in the first half, a little back at the end.
        shape = np.sin(np.pi * np.clip(times / seconds * 0.8, 0, 1)) if seconds > 0.5 else np.full_like(times, 0.7)
        lift = player.onset * np.clip(times / 0.28, 0, 1)
        for time, value in zip(times[::2], (127 - lift - player.swell * (1 - shape))[::2], strict=True):
            track.control(start + time, 11, value)


def perform(passage: Passage, player: Player, rng: np.random.Generator) -> Track:
    """Play a passage's solo: timing and touch of a person, from a seeded generator."""
    track = Track(player.program)
    for hand, voice in enumerate(passage.voices):
        line = notes(voice)
        for i, note in enumerate(line):
            start = note.start * BEAT + (rng.uniform(0.0, 0.012) if note.start % 4 else 0.0)
            seconds = note.beats * BEAT * (0.55 if "'" in note.marks else player.gate)
            velocity = player.velocity + rng.uniform(-5, 5) + (4 if note.start % 2 == 0 else 0) - 16 * hand
            velocity += 14 if ">" in note.marks else 0
            # A key must be up before it is struck again, or its release would cut the new note.
            again = next((later.start for later in line[i + 1 :] if set(later.pitches) & set(note.pitches)), np.inf)
            seconds = min(seconds, again * BEAT - 0.02 - start)
            expression(track, player, note, start, seconds)
            for string, key in enumerate(note.pitches):
                track.note(start + 0.006 * string, start + seconds, key, velocity - (6 if string else 0))
    for half in range(2 * len(passage.chords.split()) if player.pedal else 0):
        track.control(half * 2 * BEAT + 0.05, 64, 127)
        track.control((half + 1) * 2 * BEAT - 0.02, 64, 0)
    return track


def accompany(rng: np.random.Generator) -> list[Track]:
    """Play the whole piece's accompaniment: bass, plucked guitar, pad and brushes."""
    bass, pluck, pad = Track(BASS_PROGRAM, 0), Track(PLUCK_PROGRAM, 1), Track(PAD_PROGRAM, 2)
    drums = Track(BRUSH_PROGRAM, 9)
    bass.control(0, 7, 88)
    pluck.control(0, 7, 84)
    pad.control(0, 7, 72)
    bars = [(passage, name) for passage in PIECE for name in passage.chords.split()]
    for bar, (passage, name) in enumerate(bars):
        at = 4 * bar * BEAT
        root, voicing = pitch(CHORDS[name][0]), [pitch(p) for p in CHORDS[name][1].split()]
        for key in voicing:
            pad.note(at, at + 3.95 * BEAT, key, 70)
        fill = passage.label == "unknown" and passage is not bars[min(bar + 1, len(bars) - 1)][0]
        kit = BRUSHES[:3] + FILL if fill else BRUSHES
        last = bar == len(bars) - 1
        if last:  # the band ends on one, together with the soloist's last note
            bass.note(at, at + 3.5 * BEAT, root, 92)
            drums.note(at, at + 1, 36, 96)
            drums.note(at, at + 1, 49, 60)
            for i, key in enumerate(voicing):
                pluck.note(at + 0.03 * i, at + 3.5 * BEAT, key, 78)
            continue
        for beat, step, beats in BASS if "bass" not in passage.rests else ():
            # Up a fifth or an octave only where that stays a bass note.
            key = root + step if root + step < pitch("D3") else root
            bass.note(at + beat * BEAT, at + (beat + beats) * BEAT, key, 86 + rng.uniform(-6, 6))
        for beat, key in itertools.product(PLUCKS, voicing) if "guitar" not in passage.rests else ():
            spread = 0.008 * voicing.index(key) + rng.uniform(0, 0.006)
            pluck.note(at + beat * BEAT + spread, at + (beat + 0.4) * BEAT, key, 66 + rng.uniform(-8, 8))
        for key, velocity, strokes in kit:
            for beat in strokes:
                time = at + beat * BEAT + rng.uniform(0, 0.006)
                drums.note(time, time + 0.2, key, velocity + rng.uniform(-6, 6))
    return [bass, pluck, pad, drums]


def render(tracks: list[Track], seconds: float, soundfont: Path) -> Audio:
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
    band = reverberate(render(accompany(rng), total, soundfont), rng)
    solos, gains = np.zeros(size), np.zeros(size)
    segments: list[dict[str, float | str]] = []
    start = 0.0
    for passage in PIECE:
        end = start + passage.seconds
        here = slice(round(start * RATE), round(end * RATE))
        wanted = SOLO_DB + BREAK_DB
        if passage.voices:
            player = PLAYERS[passage.label]
            dry = render([perform(passage, player, rng)], passage.seconds + TAIL, soundfont)
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


def write(folder: Path, soundfont: Path = SOUNDFONT) -> tuple[Path, Path]:
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
        paths = write(arguments.out, arguments.soundfont)
    except SoloistError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for path in paths:
        sys.stdout.write(f"{path}  {path.stat().st_size} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
