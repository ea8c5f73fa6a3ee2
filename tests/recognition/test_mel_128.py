"""The streaming log mel at 32 kHz against whole windows, computed as the network's authors write it down."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from stream.recognition.mel import SAMPLE_RATE, WINDOW, Array, StreamingMel
from stream.recognition.mel_128 import FRAMES, N_MELS, StreamingMel128, mel_edges, window_features

soxr = pytest.importorskip("soxr", reason="parity is measured against soxr's resampling: the test extra")

TOLERANCE = 2e-3  # of a feature: 0.04 dB


def features_of(resampled: npt.NDArray[np.float64], peak: float) -> npt.NDArray[np.float64]:
    """Compute the features of a whole recording at 32 kHz, frame by frame, without padding: frame 0 is number 2."""
    sound = resampled * (0.5 / peak)
    emphasized = sound[1:] - 0.97 * sound[:-1]
    mels = 1127 * np.log(1 + np.arange(513) * 31.25 / 700)
    corners = np.linspace(0, 1127 * np.log(1 + 15_000 / 700), 130)
    bank = np.array([np.interp(mels, corners[band : band + 3], [0, 1, 0], left=0, right=0) for band in range(128)])
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(800) / 799)
    middles = range(640, len(emphasized) - 399, 320)
    frames = np.array([emphasized[middle - 400 : middle + 400] * taper for middle in middles])
    power: npt.NDArray[np.float64] = np.abs(np.fft.rfft(frames, 1024)) ** 2
    features: npt.NDArray[np.float64] = (np.log(bank @ power.T + 1e-5) + 4.5) / 5
    return features


def reference(audio: Array, end: int) -> npt.NDArray[np.float64]:
    """Compute the features of the window that ends at `end` of `audio`, which is resampled as a whole."""
    peak = np.abs(audio[end - WINDOW : end]).max()
    heard = audio[: end + 2_000].astype(np.float64)
    whole = features_of(soxr.resample(heard, SAMPLE_RATE, 32_000, quality="HQ"), peak)
    newest = 2 * (end - 378) // 441  # the last frame that the resampling filter reaches
    return whole[:, newest - 2 - 291 : newest - 1]


@pytest.fixture(scope="module")
def audio() -> Array:
    """Seven seconds of music-like sound: partials that glide, noise, a click, silence and a quiet end."""
    rng = np.random.default_rng(1)
    time = np.arange(7 * SAMPLE_RATE) / SAMPLE_RATE
    pitch = 220 * 2 ** (0.5 * np.sin(2 * np.pi * 0.3 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    tone = sum(np.sin(k * phase) / k for k in range(1, 12))
    audio = 0.2 * tone * (0.6 + 0.4 * np.sin(2 * np.pi * 2 * time)) + 1e-3 * rng.standard_normal(len(time))
    audio[50_000] = 1.0
    audio[70_000:90_000] = 0.0
    audio[-40_000:] *= 1e-4
    return audio.astype(np.float32)


@pytest.mark.parametrize("end", [WINDOW, WINDOW + 441, 100_003])
def test_a_window_is_as_its_authors_write_it(demo: Array, end: int) -> None:
    """Wherever a window ends, its features are those of the whole recording, resampled and cut into frames."""
    features = window_features(demo[end - WINDOW : end], end)
    assert features.shape == (N_MELS, FRAMES)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, reference(demo, end), rtol=0, atol=TOLERANCE)


def test_the_pretrained_network_hears_what_it_was_checked_with(shared: Path) -> None:
    """Features of the check that lies beside the pretrained weights are the ones that its network was given."""
    path = shared.parent / "pretrained" / "mn04_check.npz"
    if not path.exists():
        pytest.skip("the pretrained network is not at hand")
    with np.load(path) as check:
        features, expected = window_features(check["audio22050"]), check["mel"]
    np.testing.assert_allclose(features, expected[:, 4 : 4 + FRAMES], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("hop", [441, 512, 2_205, 5_632, 30_001, 64_900, WINDOW + 1])
def test_hops_of_any_length_give_what_a_fresh_start_gives(audio: Array, hop: int) -> None:
    """Frames that were kept equal those computed anew, whatever lies between the windows."""
    mel = StreamingMel128()
    for end in [WINDOW, *range(WINDOW + hop, len(audio), hop)][:20]:
        window = audio[end - WINDOW : end]
        np.testing.assert_allclose(mel.features(window, end), window_features(window, end), rtol=0, atol=1e-5)


def test_a_window_that_is_no_later_is_computed_afresh(audio: Array) -> None:
    """After a step back or a restart no frame of another stream is left."""
    mel = StreamingMel128()
    for end, restarted in ((90_000, False), (80_000, False), (82_000, False), (90_000, True)):
        if restarted:
            mel.reset()
        window = audio[-end - WINDOW : -end] if restarted else audio[end - WINDOW : end]
        np.testing.assert_allclose(mel.features(window, end), window_features(window, end), rtol=0, atol=1e-5)


@pytest.mark.parametrize("amplitude", [1e-5, 1e-2, 1.0, 1e6])
def test_the_level_does_not_matter(audio: Array, amplitude: float) -> None:
    """A window has the same features however loud it is, at the least level that can be set as a gate too."""
    window = audio[:WINDOW]
    louder = window_features(np.float32(amplitude) * window)
    np.testing.assert_allclose(louder, window_features(window), rtol=0, atol=1e-3)


@pytest.mark.parametrize("amplitude", [0.0, 1e-30, 1e-12])
def test_silence_is_not_amplified(audio: Array, amplitude: float) -> None:
    """Where there is nothing, or as good as nothing, the features are the floor."""
    features = window_features(np.float32(amplitude) * audio[:WINDOW])
    np.testing.assert_allclose(features, (np.log(1e-5) + 4.5) / 5, atol=1e-3)


def test_a_display_gets_the_frames_that_it_gets_of_the_other_front_end(audio: Array) -> None:
    """The newest frames are dB mel, 125 after a start, then those that the hop added."""
    ours, theirs = StreamingMel128(), StreamingMel()
    for end in (WINDOW, WINDOW + 5_632, WINDOW + 5_632, 80_000, 80_512):
        for mel in (ours, theirs):
            mel.features(audio[end - WINDOW : end], end)
        assert ours.newest().dtype == np.float32
        np.testing.assert_allclose(ours.newest(), theirs.newest(), rtol=0, atol=1e-3)
        np.testing.assert_allclose(ours.frames(), theirs.frames(), rtol=0, atol=1e-3)
    ours.reset()
    ours.features(audio[:WINDOW], 90_000)
    assert len(ours.newest()) == 125


def test_bands_are_evenly_spaced_in_mel() -> None:
    """Corners go from 0 Hz to 15 kHz."""
    edges = mel_edges()
    assert edges.shape == (N_MELS + 2,)
    assert edges[[0, -1]] == pytest.approx([0, 15_000])
    np.testing.assert_allclose(np.diff(np.log(1 + edges / 700)), np.log(1 + 15_000 / 700) / 129, rtol=1e-9)


def test_nothing_is_imported_with_the_first_hop() -> None:
    """All that the features take is there before audio comes."""
    code = (
        "import sys, numpy\n"
        "from stream.recognition.mel_128 import WINDOW, StreamingMel128\n"
        "mel, before = StreamingMel128(), set(sys.modules)\n"
        "mel.features(numpy.zeros(WINDOW, numpy.float32), WINDOW)\n"
        "print(sorted(set(sys.modules) - before))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
