"""The streaming mel against librosa, its definition."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest

from stream.recognition.mel import (
    CHANNELS,
    DELTA_GAIN,
    FRAMES,
    HOP_LENGTH,
    N_MELS,
    SAMPLE_RATE,
    WINDOW,
    Array,
    MelBank,
    StreamingMel,
    mel_edges,
    stack,
)

librosa = pytest.importorskip("librosa", reason="parity is measured against librosa: the test extra")

TOLERANCE = 1e-3  # dB


def reference(window: Array) -> Array:
    """Compute the features as the design writes them down."""
    mel = librosa.feature.melspectrogram(y=window, sr=SAMPLE_RATE, n_mels=N_MELS)
    return librosa.power_to_db(mel, ref=np.max)


@pytest.fixture(scope="module")
def audio() -> Array:
    """Eight seconds of music-like sound: partials that glide, noise, a click, silence and a quiet end."""
    rng = np.random.default_rng(1)
    time = np.arange(8 * SAMPLE_RATE) / SAMPLE_RATE
    pitch = 220 * 2 ** (0.5 * np.sin(2 * np.pi * 0.3 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    tone = sum(np.sin(k * phase) / k for k in range(1, 12))
    audio = 0.2 * tone * (0.6 + 0.4 * np.sin(2 * np.pi * 2 * time)) + 1e-3 * rng.standard_normal(len(time))
    audio[50_000] = 1.0
    audio[70_000:90_000] = 0.0
    audio[-40_000:] *= 1e-4
    return audio.astype(np.float32)


@pytest.mark.slow
def test_every_hop_equals_librosa(audio: Array) -> None:
    """Features of overlapping windows, each computed from the frames before, equal librosa's of the same window."""
    mel = StreamingMel()
    for end in range(WINDOW, len(audio), 11 * HOP_LENGTH):
        window = audio[end - WINDOW : end]
        features = mel.features(window, end)
        assert features.shape == (N_MELS, FRAMES)
        assert features.dtype == np.float32
        np.testing.assert_allclose(features, reference(window), rtol=0, atol=TOLERANCE)


def test_nothing_is_imported_with_the_first_hop() -> None:
    """All that the features take is there before audio comes."""
    code = (
        "import sys, numpy\n"
        "from stream.recognition.mel import WINDOW, StreamingMel\n"
        "features, before = StreamingMel().features, set(sys.modules)\n"
        "features(numpy.zeros(WINDOW, numpy.float32), WINDOW)\n"
        "print(sorted(set(sys.modules) - before))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


@pytest.mark.parametrize("steps", [[0, 1, 1, 40, 2], [0, 124, 3], [0, 125, 1], [0, 400, 5]])
def test_any_whole_number_of_frames_may_pass(audio: Array, steps: list[int]) -> None:
    """Hops of any number of frames, also more than a window, give the same features as a fresh start."""
    mel = StreamingMel()
    end = WINDOW
    for step in steps:
        end += step * HOP_LENGTH
        window = np.resize(audio, end)[-WINDOW:]
        fresh = StreamingMel().features(window, end)
        np.testing.assert_allclose(mel.features(window, end), fresh, rtol=0, atol=1e-4)


@pytest.mark.parametrize("moved", [100, -HOP_LENGTH, HOP_LENGTH + 1])
def test_a_window_off_the_grid_is_computed_afresh(audio: Array, moved: int) -> None:
    """A window that does not lie a whole number of frames later shares no frame with the last one."""
    mel = StreamingMel()
    mel.features(audio[:WINDOW], WINDOW)
    window = audio[5_000 : 5_000 + WINDOW]
    np.testing.assert_allclose(mel.features(window, WINDOW + moved), reference(window), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("amplitude", [0.0, 1e-12, 1e-6, 1.0, 1e6])
def test_any_level_equals_librosa(audio: Array, amplitude: float) -> None:
    """Silence, denormal quiet and overload have the same features as librosa gives."""
    window = np.float32(amplitude) * audio[:WINDOW]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa's, about empty spectra
        expected = reference(window)
    np.testing.assert_allclose(StreamingMel().features(window, WINDOW), expected, rtol=0, atol=TOLERANCE)


def test_real_recordings_equal_librosa(shared, rng: np.random.Generator) -> None:
    """The features of real solos equal librosa's."""
    import soundfile
    import soxr

    files = sorted((shared / "validation").glob("*.flac"))
    for file in rng.choice(files, 12, replace=False):
        audio, rate = soundfile.read(file, dtype="float32")
        window = np.resize(soxr.resample(audio, rate, SAMPLE_RATE), WINDOW)
        features = StreamingMel().features(window, WINDOW)
        np.testing.assert_allclose(features, reference(window), rtol=0, atol=TOLERANCE)


def test_newest_frames_are_those_that_were_added(audio: Array) -> None:
    """After a hop of 11 frames a display gets 11 frames, those of librosa's centred spectrogram."""
    mel = StreamingMel()
    mel.features(audio[:WINDOW], WINDOW)
    assert mel.newest().shape == (FRAMES - 4, N_MELS)
    end = WINDOW + 11 * HOP_LENGTH
    mel.features(audio[end - WINDOW : end], end)
    power = librosa.feature.melspectrogram(y=audio[:end], sr=SAMPLE_RATE, n_mels=N_MELS)
    expected = librosa.power_to_db(power, ref=1.0, top_db=None).T
    newest = end // HOP_LENGTH - 2  # the last frame that needs no padding
    np.testing.assert_allclose(mel.newest(), expected[newest - 10 : newest + 1], rtol=0, atol=TOLERANCE)


def test_mel_bank_equals_librosa(rng: np.random.Generator) -> None:
    """Corners and band sums equal librosa's filter bank."""
    frequencies = librosa.mel_frequencies(n_mels=N_MELS + 2, fmin=0, fmax=SAMPLE_RATE / 2)
    np.testing.assert_allclose(mel_edges(), frequencies, rtol=1e-12)
    power = rng.random((7, 1025), dtype=np.float32)
    filters = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=2048, n_mels=N_MELS)
    np.testing.assert_allclose(MelBank()(power), power @ filters.T, rtol=1e-5)


def test_delta_equals_librosa(audio: Array) -> None:
    """The delta channel is librosa's delta of the same features, ends included, on the mel's scale."""
    for end in range(WINDOW, len(audio), 40_000):
        features = StreamingMel().features(audio[end - WINDOW : end], end)
        stacked = stack(features, CHANNELS)
        assert stacked.shape == (N_MELS, FRAMES, 2)
        assert stacked.dtype == np.float32
        np.testing.assert_array_equal(stacked[..., 0], features)
        slopes = librosa.feature.delta(features)
        limit = 40 / DELTA_GAIN
        delta = (stacked[..., 1] + 40) / np.float32(DELTA_GAIN)
        np.testing.assert_allclose(delta, slopes.clip(-limit, limit), rtol=0, atol=TOLERANCE)


def test_music_seldom_rises_too_fast_for_the_delta(demo: Array) -> None:
    """Less than one slope in a hundred of the demo is cut off."""
    windows = demo[: len(demo) // WINDOW * WINDOW].reshape(-1, WINDOW)
    delta = stack(np.array([StreamingMel().features(window, WINDOW) for window in windows]), CHANNELS)[..., 1]
    assert np.mean((delta == 0) | (delta == -80)) < 0.01


@pytest.mark.parametrize("channels", [("mel",), ("mel", "delta"), ("delta", "mel"), ("delta",)])
def test_many_windows_are_stacked_as_one_is(rng: np.random.Generator, channels: tuple[str, ...]) -> None:
    """Windows in arrays of any shape get the channels that each gets by itself, within the mel's range."""
    db = rng.uniform(-80, 0, (2, 3, N_MELS, FRAMES)).astype(np.float32)
    stacked = stack(db, channels)
    assert stacked.shape == (*db.shape, len(channels))
    assert stacked.min() >= -80
    assert stacked.max() <= 0
    for index in np.ndindex(2, 3):
        np.testing.assert_allclose(stacked[index], stack(db[index], channels), rtol=0, atol=1e-4)


def test_the_mel_alone_is_not_copied() -> None:
    """A model without further channels pays nothing for them."""
    db = np.zeros((N_MELS, FRAMES), np.float32)
    assert np.shares_memory(stack(db, ["mel"]), db)


def test_an_unknown_channel_is_named() -> None:
    """A channel that does not exist is refused with those that do."""
    with pytest.raises(ValueError, match=r"channel is 'chroma'; expected mel or delta"):
        stack(np.zeros((N_MELS, FRAMES), np.float32), ["mel", "chroma"])
