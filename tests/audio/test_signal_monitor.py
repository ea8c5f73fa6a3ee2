"""What is wrong with the audio that arrives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream.audio.converter import Converter
from stream.audio.signal_monitor import SignalMonitor
from stream.recognition.mel import SAMPLE_RATE, Array
from stream.recognition.settings import GATE

BLOCK = SAMPLE_RATE // 10
Make = Callable[[float], Array]


@pytest.fixture
def noise(rng: np.random.Generator) -> Make:
    """Noise of so many seconds at -40 dBFS."""
    return lambda seconds: (0.01 * rng.standard_normal(round(seconds * SAMPLE_RATE))).astype(np.float32)


def zeros(seconds: float) -> Array:
    """Return digital silence."""
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def hear(monitor: SignalMonitor, audio: Array, size: int = BLOCK) -> list[tuple[float, list[str]]]:
    """Feed audio in blocks, and return what is told each time that it changes, with the seconds fed by then."""
    told = [(0.0, monitor.warnings)]
    for start in range(0, len(audio), size):
        block = audio[start : start + size]
        monitor.update(block, clipped=False, invalid=False)
        if monitor.warnings != told[-1][1]:
            told.append(((start + len(block)) / SAMPLE_RATE, monitor.warnings))
    return told[1:]


def test_the_demo_is_in_order(demo: Array) -> None:
    """The demo, which holds four seconds of digital silence and some offset of its synthesizer, warns of nothing."""
    assert hear(SignalMonitor(GATE, live=False), np.concatenate([demo, demo])) == []


def test_real_recordings_are_in_order(shared: Path) -> None:
    """Real solos, the quietest of them at -60 dBFS, warn of nothing, not even of full scale."""
    monitor = SignalMonitor(GATE, live=False)
    paths = sorted((shared / "validation").rglob("*.flac"))
    for path in paths:
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
        converter = Converter(rate, audio.shape[1])
        samples = converter(audio, last=True)
        monitor.update(samples, converter.clipped, converter.invalid > 0)
        assert monitor.warnings == [], path.name
    assert len(paths) > 50


@pytest.mark.parametrize(
    ("clipped", "invalid", "said"), [(True, False, "turn the gain down"), (False, True, "not numbers")]
)
def test_what_passes_is_told_for_a_while(noise: Make, clipped: bool, invalid: bool, said: str) -> None:
    """Full scale and what is no number are told at once, and until 10 s of audio have passed without them."""
    monitor = SignalMonitor(GATE, live=True)
    monitor.update(noise(1), clipped, invalid)
    (warning,) = monitor.warnings
    assert said in warning
    monitor.update(noise(5), clipped=False, invalid=False)
    monitor.update(noise(1), clipped, invalid)
    monitor.update(noise(10), clipped=False, invalid=False)
    assert monitor.warnings == [warning]
    monitor.update(noise(0.1), clipped=False, invalid=False)
    assert monitor.warnings == []


@pytest.mark.parametrize("live", [True, False])
def test_only_what_can_be_restarted_is_to_be(noise: Make, live: bool) -> None:
    """Of samples that are no numbers a device is to be restarted; a file cannot be."""
    monitor = SignalMonitor(GATE, live)
    monitor.update(noise(1), clipped=False, invalid=True)
    (warning,) = monitor.warnings
    assert ("restart" in warning) == live


@pytest.mark.parametrize("offset", [0.055, -0.055])
def test_an_offset_is_told(noise: Make, offset: float) -> None:
    """A mean of a twentieth of full scale over 2 s is told, in either direction, until it is gone for 10 s."""
    monitor = SignalMonitor(GATE, live=True)
    (told, warning), (ended, nothing) = hear(monitor, np.concatenate([noise(4) + np.float32(offset), noise(15)]))
    assert "DC offset" in warning[0]
    assert told == pytest.approx(2, abs=0.5)
    assert ended == pytest.approx(4 + 10, abs=0.6)
    assert nothing == []
    assert hear(SignalMonitor(GATE, live=True), noise(9) + np.float32(0.9 * offset)) == []


def test_low_notes_are_no_offset() -> None:
    """The lowest note of a piano at full volume is heard as sound."""
    note = 0.9 * np.sin(2 * np.pi * 27.5 * np.arange(20 * SAMPLE_RATE) / SAMPLE_RATE)
    assert hear(SignalMonitor(GATE, live=True), note.astype(np.float32)) == []


def test_silence_is_told_after_half_a_minute(noise: Make) -> None:
    """Nothing above the gate for 30 s is told, with the gate, until there is the first sound."""
    quiet = noise(40) * np.float32(0.01)  # -80 dBFS
    (told, (warning,)), (ended, nothing) = hear(
        SignalMonitor(GATE, live=True), np.concatenate([noise(1), quiet, noise(1)])
    )
    assert warning.startswith("nothing above -70 dBFS for 30 s: ")
    assert told == pytest.approx(31, abs=0.21)
    assert ended == pytest.approx(41.2, abs=0.21)
    assert nothing == []
    assert hear(SignalMonitor(-90.0, live=True), quiet) == []


def test_a_short_sound_breaks_the_silence(noise: Make) -> None:
    """Two rests of 20 s with a note between them are music."""
    rest = noise(20) * np.float32(0.01)
    assert hear(SignalMonitor(GATE, live=True), np.concatenate([rest, noise(0.5), rest])) == []


@pytest.mark.parametrize("value", [0.0, -1 / 32768])
def test_a_device_that_stands_still_is_told(noise: Make, value: float) -> None:
    """Nothing but one value for 1.6 s from a device is told, rather than silence, and no longer once it moves."""
    audio = np.concatenate([noise(1), zeros(40) + np.float32(value), 1e-4 * noise(0.5)])
    (told, (warning,)), (ended, after) = hear(SignalMonitor(GATE, live=True), audio)
    assert warning.startswith("the input delivers only zeros: ")
    assert told == pytest.approx(2.7, abs=0.21)
    assert ended == pytest.approx(41.2, abs=0.21)
    assert [text[:13] for text in after] == ["nothing above"]


def test_zeros_of_a_device_at_another_rate_are_zeros(noise: Make) -> None:
    """The resampler leaves nothing behind that would be taken for a signal."""
    converter, monitor = Converter(48_000, 2), SignalMonitor(GATE, live=True)
    for audio in (noise(2), zeros(5)):  # at 48 000 Hz 0.9 s and 2.3 s
        for start in range(0, len(audio), 480):
            block = np.stack([audio[start : start + 480]] * 2, axis=1)
            monitor.update(converter(block), clipped=False, invalid=False)
    assert [text.partition(":")[0] for text in monitor.warnings] == ["the input delivers only zeros"]


def test_a_file_may_stand_still() -> None:
    """Digital silence in a file is a pause, and told only when it is a long one."""
    (told, (warning,)) = hear(SignalMonitor(GATE, live=False), zeros(35))[0]
    assert warning.startswith("nothing above -70 dBFS for 30 s: ")
    assert told == pytest.approx(30, abs=0.2)


def test_all_is_told_at_once(noise: Make) -> None:
    """Several monitor are told together, and each one once."""
    monitor = SignalMonitor(GATE, live=True)
    monitor.update(noise(3) + np.float32(0.2), clipped=True, invalid=True)
    monitor.update(zeros(2.5), clipped=True, invalid=True)
    assert len(monitor.warnings) == len(set(monitor.warnings)) == 4


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 7, 1000, SAMPLE_RATE // 5, 60_000])
def test_blocks_do_not_matter(noise: Make, size: int) -> None:
    """Blocks of any size lead to the same warnings, told with the block that completes what they stand on."""
    audio = np.concatenate([noise(0.5), zeros(2.5), noise(1), noise(2.5) + np.float32(0.1)])
    whole, parts = SignalMonitor(GATE, live=True), SignalMonitor(GATE, live=True)
    told = [warnings for _, warnings in hear(parts, audio, size)]
    whole.update(audio, clipped=False, invalid=False)
    assert parts.warnings == whole.warnings
    assert "DC offset" in whole.warnings[0]
    if size <= SAMPLE_RATE // 5:
        assert [[text.partition(":")[0] for text in texts] for texts in told[:2]] == [
            ["the input delivers only zeros"],
            [],
        ]
