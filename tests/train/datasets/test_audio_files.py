"""Clips that lie in audio files: every format and rate, windows, and files without sound."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("tqdm", reason="needs the train extra")

from stream.errors import SourceError
from stream.recognition.mel import SAMPLE_RATE, WINDOW
from tests.support.data_set_files import hear, one_clip, write_tone
from train.datasets.audio_files import AudioFileDataset, ChannelWarning, count_windows


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
