"""The demo audio: what ships in `stream/`, and the score it is rendered from."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("mido", reason="the train extra is not installed", exc_type=ImportError)

import stream
from stream.errors import RuntimeMissingError
from train.compose import demo, demo_tune, fluidsynth

HOME = Path(stream.__file__).parent
LABELS = {
    "clarinet",
    "distorted electric guitar",
    "female singer",
    "flute",
    "piano",
    "tenor saxophone",
    "trumpet",
    "violin",
    "unknown",
    "silence",
}


@pytest.fixture(scope="module")
def table():
    """Return what demo.json says."""
    return json.loads((HOME / "demo.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def audio():
    """Return the demo's samples and their rate."""
    return soundfile.read(HOME / "demo.ogg", dtype="float32")


def stretches(table, audio):
    """Pair every segment with its samples."""
    y, rate = audio
    return [
        (segment, y[round(segment["start"] * rate) : round(segment["end"] * rate)]) for segment in table["segments"]
    ]


def rms(y):
    """Root mean square in dBFS."""
    return 10 * np.log10(np.mean(np.square(y, dtype=np.float64)) + 1e-20)


def test_demo_is_small_mono_vorbis_of_the_stated_length(table):
    """The file is Ogg Vorbis of at most 1.2 MB and as long as demo.json says."""
    info = soundfile.info(HOME / "demo.ogg")
    assert (info.format, info.subtype, info.channels) == ("OGG", "VORBIS", 1)
    assert info.duration == pytest.approx(table["seconds"], abs=0.01)
    assert (HOME / "demo.ogg").stat().st_size <= 1_200_000


def test_segments_tile_the_file_with_known_labels(table):
    """The segments follow each other without a gap from start to end, each with a label that the service knows."""
    segments = table["segments"]
    assert segments[0]["start"] == 0
    assert segments[-1]["end"] == pytest.approx(table["seconds"])
    assert all(segment["start"] < segment["end"] for segment in segments)
    assert [segment["end"] for segment in segments[:-1]] == [segment["start"] for segment in segments[1:]]
    assert {segment["label"] for segment in segments} <= LABELS


def test_every_solo_is_long_and_loud_enough(table, audio):
    """Several soloists play, each at least 8 s and well above the silence gate."""
    solos = [(s, y) for s, y in stretches(table, audio) if s["label"] not in {"unknown", "silence"}]
    assert len({segment["label"] for segment, _ in solos}) >= 5
    for segment, y in solos:
        assert segment["end"] - segment["start"] >= 8, segment
        assert rms(y) > -35, segment


def test_rest_is_silent_for_longer_than_a_window(table, audio):
    """The rest at the end outlasts a 3 s window and lies below -60 dBFS throughout."""
    rests = [(s, y) for s, y in stretches(table, audio) if s["label"] == "silence"]
    assert rests
    for segment, y in rests:
        assert segment["end"] - segment["start"] > 3
        assert 20 * np.log10(np.abs(y).max() + 1e-20) < -60


def test_nothing_clips(audio):
    """No decoded sample reaches full scale."""
    y, _ = audio
    assert np.abs(y).max() < 1.0


def test_shipped_table_is_that_of_the_score(table):
    """demo.json names the soloists of the score in its order."""
    labels = [passage.label for passage in demo_tune.PIECE]
    assert [segment["label"] for segment in table["segments"]] == [*labels, "silence"]


@pytest.mark.parametrize(("name", "number"), [("C4", 60), ("A4", 69), ("Bb1", 34), ("C#6", 85)])
def test_pitches_are_midi_numbers(name, number):
    """Pitches count from middle C, C4, as 60."""
    assert demo_tune.midi_pitch(name) == number


def test_notes_carry_time_chord_and_marks():
    """A voice gives each note its start in beats, all its pitches and its marks; a rest only takes time."""
    assert demo_tune.parse_voice("r:1 C4+G4:2> A4:1'/ | D5:4") == [
        demo_tune.Note(1.0, 2.0, (60, 67), ">"),
        demo_tune.Note(3.0, 1.0, (69,), "'/"),
        demo_tune.Note(4.0, 4.0, (74,), ""),
    ]


def test_bar_of_wrong_length_is_refused():
    """A bar that does not have four beats is an error that names it."""
    with pytest.raises(ValueError, match=r"bar 2 has 3\.5 beats"):
        demo_tune.parse_voice("C4:4 | D4:3.5")


@pytest.mark.parametrize("passage", demo_tune.PIECE, ids=lambda passage: passage.label)
def test_each_voice_is_as_long_as_its_chords_and_in_range(passage):
    """Every voice of the score has a bar for each chord, inside the instrument's concert range."""
    ranges = {
        "piano": ("A0", "C8"),
        "violin": ("G3", "E7"),
        "flute": ("C4", "C7"),
        "distorted electric guitar": ("E2", "E6"),
        "clarinet": ("D3", "Bb6"),
        "trumpet": ("E3", "C6"),
        "tenor saxophone": ("Ab2", "E5"),
    }
    for voice in passage.voices:
        assert voice.count("|") + 1 == len(passage.chords.split())
        low, high = (demo_tune.midi_pitch(name) for name in ranges[passage.label])
        assert all(low <= pitch <= high for note in demo_tune.parse_voice(voice) for pitch in note.pitches)


def test_missing_soundfont_names_the_packages(tmp_path):
    """Without FluidSynth or the soundfont the error says which Debian packages to install."""
    with pytest.raises(RuntimeMissingError, match="fluidsynth and fluid-soundfont-gm"):
        demo.write_demo(tmp_path, soundfont=tmp_path / "absent.sf2")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("fluidsynth") is None, reason="fluidsynth is not installed")
@pytest.mark.skipif(not fluidsynth.SOUNDFONT.is_file(), reason="fluid-soundfont-gm is not installed")
def test_script_renders_the_shipped_demo_again(tmp_path, table, capsys):
    """`python -m train.compose.demo` makes the same table and, but for the encoder's freedom, the same sound."""
    assert demo.main(["--out", str(tmp_path)]) == 0
    assert str(tmp_path / "demo.ogg") in capsys.readouterr().out
    again = json.loads((tmp_path / "demo.json").read_text(encoding="utf-8"))
    assert again == table
    y, rate = soundfile.read(tmp_path / "demo.ogg")
    assert len(y) / rate == pytest.approx(table["seconds"], abs=0.01)
    # Another version of FluidSynth may sound a little different; the balance is made here and stays.
    shipped = stretches(table, soundfile.read(HOME / "demo.ogg"))
    for (segment, old), (_, new) in zip(shipped, stretches(again, (y, rate)), strict=True):
        if segment["label"] != "silence":
            assert rms(new) == pytest.approx(rms(old), abs=1.5), segment
