"""Notes rendered from sound fonts, in a pack of their own."""

import shutil

import numpy as np
import pytest
import soundfile

pytest.importorskip("mido", reason="the train extra is not installed", exc_type=ImportError)

from stream.errors import ConfigError, RuntimeMissingError, SourceError
from stream.recognition.mel import SAMPLE_RATE
from train.__main__ import main
from train.compose import fluidsynth, rendered_notes, sound_fonts
from train.compose.pack import read_pack, read_rooms

FLUID = sound_fonts.FONTS[-1]
PARTS = (
    sound_fonts.ProgramNotes("trumpet", 59, "muted trumpet", 60, 64, 2, (45, 115)),
    sound_fonts.ProgramNotes("distorted electric guitar", 30, "distortion guitar", 45, 45, chords=((0, 7, 12),)),
)
TABLE = (
    "path,instrument,source,original,midi,seconds,licence\r\n"
    "training/flute/own/a.ogg,flute,own,a.wav,72.0,1.0,CC0\r\n"
    "impulse_responses/hall.flac,room impulse response,own,hall.wav,,1.0,CC0\r\n"
)

needs_fluidsynth = pytest.mark.skipif(
    shutil.which("fluidsynth") is None or not FLUID.file.is_file(),
    reason="fluidsynth or fluid-soundfont-gm is not installed",
)


@pytest.fixture
def data(tmp_path):
    """Return a pack of one note and one room."""
    folder = tmp_path / "data"
    tone = np.sin(np.arange(SAMPLE_RATE) * 0.15)
    for path in ("training/flute/own/a.ogg", "impulse_responses/hall.flac"):
        (folder / path).parent.mkdir(parents=True)
        soundfile.write(folder / path, tone, SAMPLE_RATE)
    (folder / "training.csv").write_bytes(TABLE.encode())
    return folder


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    """Return a pack with a few rendered notes, and what rendering it said."""
    folder = tmp_path_factory.mktemp("rendered")
    (folder / "data/training/flute/own").mkdir(parents=True)
    (folder / "data/impulse_responses").mkdir()
    (folder / "data/training.csv").write_bytes(TABLE.encode())
    said = rendered_notes.render_pack(folder / "data", folder / "pack", (FLUID,), PARTS)
    return folder / "pack", said


def period(y):
    """Period of a tone in samples, from the highest peak of its autocorrelation, between samples."""
    power = np.abs(np.fft.rfft(y * np.hanning(len(y)), 2 * len(y))) ** 2
    correlation = np.fft.irfft(power)[:1000]
    valley = int(np.argmax(correlation < 0))
    peak = valley + int(np.argmax(correlation[valley:] > 0.9 * correlation[valley:].max()))
    peak = peak - 3 + int(np.argmax(correlation[peak - 3 : peak + 15]))
    before, here, after = correlation[peak - 1 : peak + 2]
    return peak + (before - after) / (2 * (before - 2 * here + after))


@needs_fluidsynth
def test_notes_sound_at_the_pitch_their_row_names(pack):
    """Single notes have the named pitch within 30 cents; root, fifth and octave repeat an octave below the root."""
    rows = [row for row in read_pack(pack[0]) if row.source == FLUID.source]
    assert [row.midi for row in rows] == [60, 62, 64, 60, 62, 64, 45]
    for row in rows:
        y, rate = soundfile.read(pack[0] / row.path)
        sounding = 69 + 12 * np.log2(rate / period(y[4000:20000]) / 440)
        repeats = row.midi - (12 if row.instrument.startswith("distorted") else 0)
        assert sounding == pytest.approx(repeats, abs=0.3), row


@needs_fluidsynth
def test_notes_have_the_form_of_the_pack(pack):
    """Every note is mono Vorbis at 22 050 Hz, as long as its row says, trimmed, with a peak of 0.7."""
    for row in read_pack(pack[0])[1:]:
        info = soundfile.info(pack[0] / row.path)
        assert (info.subtype, info.channels, info.samplerate) == ("VORBIS", 1, SAMPLE_RATE)
        assert info.duration == pytest.approx(row.seconds, abs=0.001)
        assert 2 < row.seconds < 3.7
        y, _ = soundfile.read(pack[0] / row.path)
        assert np.abs(y).max() == pytest.approx(0.7, abs=0.1)
        assert np.abs(y[:500]).max() > 0.001
        assert row.licence == "MIT"


@needs_fluidsynth
def test_the_original_is_linked_and_its_rows_stay(pack):
    """The new table begins with the old one, byte for byte, and the folders of its files are links."""
    out, said = pack
    assert (out / "training.csv").read_bytes().startswith(TABLE.encode())
    assert [room.path for room in read_rooms(out)] == ["impulse_responses/hall.flac"]
    assert (out / "training/flute/own").is_symlink()
    assert (out / "impulse_responses").resolve() == (out.parent / "data/impulse_responses").resolve()
    assert [str(line) for line in said] == ["fluidr3_more: 7 notes rendered"]


@needs_fluidsynth
def test_a_second_run_changes_nothing_and_says_so(pack):
    """What is there is not touched."""
    out, _ = pack
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    said = rendered_notes.render_pack(out.parent / "data", out, (FLUID,), PARTS)
    assert [str(line) for line in said] == ["fluidr3_more: 7 notes already there"]
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


@needs_fluidsynth
def test_only_what_is_new_is_rendered_and_what_is_unwanted_goes(data, tmp_path):
    """With other parts, notes of both stay as they are, and those of neither leave table and folder."""
    out = tmp_path / "pack"
    few = (
        sound_fonts.ProgramNotes("trumpet", 59, "muted trumpet", 60, 62, 2),
        sound_fonts.ProgramNotes("piano", 1, "bright piano", 60, 60),
    )
    rendered_notes.render_pack(data, out, (FLUID,), few)
    kept = {row.path: (out / row.path).stat().st_mtime_ns for row in read_pack(out) if row.instrument == "trumpet"}
    more = (sound_fonts.ProgramNotes("trumpet", 59, "muted trumpet", 60, 64, 2),)
    rendered_notes.render_pack(data, out, (FLUID,), more)
    rows = read_pack(out)[1:]
    assert [(row.instrument, row.midi) for row in rows] == [("trumpet", 60), ("trumpet", 62), ("trumpet", 64)]
    assert {path: (out / path).stat().st_mtime_ns for path in kept} == kept
    assert sorted(path.name for path in out.rglob("*.ogg") if FLUID.source in path.parts) == sorted(
        row.path.rsplit("/", 1)[1] for row in rows
    )


@needs_fluidsynth
def test_inaudible_notes_are_skipped_and_counted(data, tmp_path, monkeypatch):
    """A note without sound gets no file and no row."""
    monkeypatch.setattr(fluidsynth, "render_tracks", lambda tracks, seconds, font: np.zeros(round(seconds * 44_100)))
    said = rendered_notes.render_pack(data, tmp_path / "pack", (FLUID,), PARTS)
    assert [str(line) for line in said] == ["fluidr3_more: 0 notes rendered, 7 silent ones skipped"]
    assert [row.source for row in read_pack(tmp_path / "pack")] == ["own"]


def test_another_folder_is_left_alone(data, tmp_path):
    """A folder that is not of this making is refused."""
    out = tmp_path / "mine"
    out.mkdir()
    (out / "letter.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine exists and is no pack with rendered notes"):
        rendered_notes.render_pack(data, out, (FLUID,), PARTS)
    assert [path.name for path in out.iterdir()] == ["letter.txt"]


def test_rendered_notes_are_not_rendered_into(data, tmp_path):
    """A pack that holds rendered notes already is refused as the original, lest links lead back into it."""
    with (data / "training.csv").open("a", encoding="utf-8") as table:
        table.write("training/flute/timgm6mb/b.ogg,flute,timgm6mb,b,72.0,1.0,GPL-2\r\n")
    with pytest.raises(ConfigError, match="holds rendered notes already"):
        rendered_notes.render_pack(data, tmp_path / "pack", (FLUID,), PARTS)


def test_a_folder_without_a_table_is_an_error(tmp_path):
    """The original must be a pack."""
    with pytest.raises(SourceError, match=r"cannot read .*training\.csv"):
        rendered_notes.render_pack(tmp_path, tmp_path / "pack", (FLUID,), PARTS)


def test_missing_fluidsynth_names_its_package(data, tmp_path, monkeypatch):
    """Without FluidSynth nothing is made."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeMissingError, match="Debian package fluidsynth"):
        rendered_notes.render_pack(data, tmp_path / "pack", (FLUID,), PARTS)
    assert not (tmp_path / "pack").exists()


def test_the_command_tells_faults_in_one_line(data, tmp_path, capsys, monkeypatch):
    """A missing font names its package, and an unknown font the known ones."""
    monkeypatch.setattr(shutil, "which", lambda name: name)
    command = ["render", "--data", str(data), "--out", str(tmp_path / "pack"), "--soundfont"]
    assert main([*command, str(tmp_path / "TimGM6mb.sf2")]) == 1
    assert "install the Debian package timgm6mb-soundfont" in capsys.readouterr().err
    assert main([*command, "strings.sf2"]) == 1
    error = capsys.readouterr().err
    assert "expected MuseScore_General.sf3, TimGM6mb.sf2, FluidR3_GM.sf2" in error
    assert error.count("\n") == 1
