"""Clips that lie in audio files: every format and rate, windows, and files without sound."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("tqdm", reason="needs the train extra")

from stream.audio import pyav
from stream.errors import SourceError
from stream.recognition.mel import SAMPLE_RATE, WINDOW
from tests.support.data_set_files import hear, one_clip, write_tone
from tests.support.encoded import by_ffmpeg, chunked, encoded, tones, without_xing
from train.datasets.audio_files import AudioFileDataset, ChannelWarning
from train.datasets.window_reading import count_windows, read_window


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
@pytest.mark.parametrize(("rate", "channels"), [(22_050, 1), (44_100, 2), (48_000, 1), (16_000, 2)])
def test_every_format_and_rate_gives_the_same_clip(tmp_path: Path, suffix: str, rate: int, channels: int) -> None:
    """A tone is the same tone at 22 050 Hz, whatever file it comes from."""
    path = write_tone(tmp_path / f"a.{suffix}", 7, rate, channels)
    window = hear(path, 1)
    assert window.shape == (WINDOW,)
    assert window.dtype == np.float32
    spectrum = np.abs(np.fft.rfft(window * np.hanning(WINDOW)))
    assert np.argmax(spectrum) * SAMPLE_RATE / WINDOW == pytest.approx(440, abs=0.5)
    assert np.sqrt(np.mean(window**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)  # MP3 takes 4 %


def test_windows_of_a_file_follow_each_other(tmp_path: Path) -> None:
    """The windows of a file at the model's rate, one after the other, are its samples."""
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 2 * WINDOW + 40_000).astype(np.float32)
    path = tmp_path / "a.wav"
    soundfile.write(path, sound, SAMPLE_RATE, subtype="FLOAT")
    assert count_windows(path) == 3
    heard = np.concatenate([hear(path, number) for number in range(3)])
    np.testing.assert_array_equal(heard[: len(sound)], sound)
    assert not heard[len(sound) :].any()


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (1, 1),
        (WINDOW, 1),
        (WINDOW + WINDOW // 2 - 1, 1),
        (WINDOW + WINDOW // 2, 2),
        (2 * WINDOW, 2),
        (5 * WINDOW + 1, 5),
    ],
)
def test_last_piece_counts_from_half_a_window(tmp_path: Path, samples: int, expected: int) -> None:
    """What is left of a file is a clip where it is half a window long, or all there is."""
    path = tmp_path / "a.wav"
    soundfile.write(path, np.ones(samples) / 2, SAMPLE_RATE)
    assert count_windows(path) == expected


def test_files_without_sound_are_named(tmp_path: Path) -> None:
    """What is missing, corrupt, empty, silent or not finite gives one clip, and one line that names it."""
    rng = np.random.default_rng(0)
    (tmp_path / "noise.wav").write_bytes(rng.bytes(5_000))
    (tmp_path / "text.mp3").write_text("no audio at all")
    (tmp_path / "nothing.ogg").touch()
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "raw.raw").write_bytes(bytes(1_000))
    whole = write_tone(tmp_path / "whole.flac", 3)
    (tmp_path / "cut.flac").write_bytes(whole.read_bytes()[:60])
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), SAMPLE_RATE)
    soundfile.write(tmp_path / "silent.wav", np.zeros(WINDOW), SAMPLE_RATE)
    soundfile.write(tmp_path / "nan.wav", np.full(WINDOW, np.nan), 44_100, subtype="FLOAT")
    soundfile.write(tmp_path / "inf.wav", np.array([[np.inf, -np.inf]] * WINDOW), 44_100, subtype="FLOAT")
    whole.unlink()
    names = ["gone.wav", *sorted(path.name for path in tmp_path.iterdir())]
    assert len(names) == 11
    for name in names:
        path = tmp_path / name
        assert count_windows(path) == 1
        with pytest.raises(SourceError, match=name) as caught:
            hear(path)
        assert "\n" not in str(caught.value)


def test_window_behind_the_end_is_named(tmp_path: Path) -> None:
    """A window that a file does not reach is an error, not silence."""
    with pytest.raises(SourceError, match=r"a\.wav, window 7 holds no samples"):
        hear(write_tone(tmp_path / "a.wav", 3), 7)


def test_data_set_reaches_worker_processes(tmp_path: Path) -> None:
    """A pickled data set gives the same audio."""
    clip = one_clip(write_tone(tmp_path / "a.wav", 3))
    data = AudioFileDataset("test", ("violin",), (clip,))
    copy = pickle.loads(pickle.dumps(data))
    assert copy == data
    np.testing.assert_array_equal(copy.audio(clip), data.audio(clip))


def test_channels_that_cancel_are_not_averaged(tmp_path: Path) -> None:
    """A clip whose channels cancel is one of them from its first sample on, which a warning tells; others are means."""
    sound = (0.3 * np.sin(np.arange(2 * WINDOW) / 9)).astype(np.float32)
    other = np.where(np.arange(2 * WINDOW) < WINDOW, -0.995 * sound, 0.5 * sound)
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([sound, other], axis=1), SAMPLE_RATE, subtype="FLOAT")
    with pytest.warns(ChannelWarning, match=r"a\.wav: channels 1 and 2 cancel each other: channel 1 alone is taken$"):
        window = hear(path)
    np.testing.assert_array_equal(window, sound[:WINDOW])
    np.testing.assert_allclose(hear(path, 1), 0.75 * sound[WINDOW:], atol=1e-6)


@pytest.mark.parametrize(("name", "rate"), [("a.ogg", 44_100), ("a.mp3", 22_050), ("a.flac", 48_000)])
def test_windows_are_what_a_reading_of_the_file_gives(tmp_path: Path, name: str, rate: int) -> None:
    """In any order and to the sample, also where a seek would give others: in Vorbis and MP3."""
    rng = np.random.default_rng(3)
    length = round(3 * WINDOW / SAMPLE_RATE * rate)
    soundfile.write(tmp_path / name, rng.standard_normal(length).astype(np.float32) / 10, rate)
    whole, _ = soundfile.read(tmp_path / name, dtype="float32", always_2d=True)
    assert count_windows(tmp_path / name) == 3
    for number in (0, 1, 2, 1, 0):
        start, stop = (round(edge * WINDOW * rate / SAMPLE_RATE) for edge in (number, number + 1))
        sound, found = read_window(tmp_path / name, number)
        assert found == rate
        np.testing.assert_allclose(sound, whole[start:stop], rtol=0, atol=1e-6)


def test_windows_of_files_that_libsndfile_stops_in(tmp_path: Path) -> None:
    """All of a file is cut to windows: of several parts, without a length, and with an old one."""
    sound = tones(3.5)
    flac = bytearray(encoded(sound, "FLAC"))
    flac[21:26] = bytes([flac[21] & 0xF0, 0, 0, 0, 0])
    vorbis = encoded(sound, "OGG", "VORBIS")
    contents = {
        "a.ogg": 2 * vorbis,
        "b.flac": 2 * encoded(sound, "FLAC"),
        "c.flac": flac,
        "d.mp3": 2 * without_xing(encoded(sound, "VBR")),
        "e.wav": chunked(np.concatenate([sound, sound]), 1000),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        assert count_windows(tmp_path / name) == (1 if name == "c.flac" else 2)
        assert hear(tmp_path / name, count_windows(tmp_path / name) - 1).any()


def test_formats_of_ffmpeg_are_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra they are read as others are, and without it the line that skips one names the extra."""
    path = tmp_path / "a.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    with monkeypatch.context() as patch:
        patch.setattr(pyav, "is_installed", lambda: False)
        assert count_windows(path) == 1
        with pytest.raises(SourceError, match=r"cannot read .*a\.m4a: Format not recognised; .*\[formats\]"):
            hear(path)
    if pyav.is_installed():
        path.write_bytes(by_ffmpeg([tones(6.5)], "ipod", "aac"))
        assert count_windows(path) == 2
        assert hear(path, 1).any()
