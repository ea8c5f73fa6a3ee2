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


def feed(monitor: SignalMonitor, converter: Converter, audio: Array) -> list[str]:
    """Feed audio of one channel or several in one block, and return the warnings."""
    converter(audio if audio.ndim == 2 else audio[:, None])
    monitor.update(*converter.take_levels(), converter.alone)
    return monitor.warnings


def hear(monitor: SignalMonitor, audio: Array, size: int = BLOCK) -> list[tuple[float, list[str]]]:
    """Feed audio in blocks, and return what is told each time that it changes, with the seconds fed by then."""
    audio = audio if audio.ndim == 2 else audio[:, None]
    converter = Converter(SAMPLE_RATE, audio.shape[1])
    told = [(0.0, monitor.warnings)]
    for start in range(0, len(audio), size):
        block = audio[start : start + size]
        feed(monitor, converter, block)
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
        assert feed(monitor, converter, audio) == [], path.name
    assert len(paths) > 50


@pytest.mark.parametrize(("fault", "said"), [(1.0, "turn the gain down"), (np.nan, "not numbers")])
def test_what_passes_is_told_for_a_while(noise: Make, fault: float, said: str) -> None:
    """Full scale and what is no number are told at once, and until 10 s of audio have passed without them."""
    monitor, converter = SignalMonitor(GATE, live=True), Converter(SAMPLE_RATE, 1)
    faulty = noise(1)
    faulty[500] = fault
    (warning,) = feed(monitor, converter, faulty)
    assert said in warning
    feed(monitor, converter, noise(5))
    feed(monitor, converter, faulty)
    assert feed(monitor, converter, noise(9)) == [warning]
    assert feed(monitor, converter, noise(1.3)) == []


@pytest.mark.parametrize("live", [True, False])
def test_a_file_is_not_mended_by_the_stage(noise: Make, live: bool) -> None:
    """What is wrong with a file is told without sending somebody to gain, cable and interface first."""
    quiet, loud = noise(33) * np.float32(0.01) + np.float32(0.2), noise(1)
    loud[-5000] = 1.0
    told = [text for it in (quiet, loud) for text in feed(SignalMonitor(GATE, live), Converter(SAMPLE_RATE, 1), it)]
    assert len(told) == 3
    for text in told:
        assert ("where it is live" in text) == (not live), text


@pytest.mark.parametrize("live", [True, False])
def test_only_what_can_be_mended_is_to_be(noise: Make, live: bool) -> None:
    """A device with samples that are no numbers is to be restarted, and its gain turned down; a file has neither."""
    audio = noise(1)
    audio[[100, 200]] = np.nan, 1.0
    told = feed(SignalMonitor(GATE, live), Converter(SAMPLE_RATE, 1), audio)
    assert [("restart" in text, text.endswith(": turn the gain down")) for text in told] == [
        (live, False),
        (False, live),
    ]


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


def test_zeros_are_judged_channel_by_channel(noise: Make) -> None:
    """Neither one living channel of many nor one that is the inverse of another is only zeros; all at zero are."""
    sound, still = noise(3), zeros(3)
    for columns in ([still, sound, still], [sound, -sound]):
        monitor = SignalMonitor(GATE, True, len(columns))
        hear(monitor, np.stack(columns, axis=1))
        assert monitor.zeros_warning is None
    monitor = SignalMonitor(GATE, True, 2)
    hear(monitor, np.stack([still, still + np.float32(0.01)], axis=1))
    assert monitor.zeros_warning is not None


def test_a_dead_channel_of_two_is_told(noise: Make) -> None:
    """A device of two channels of which one delivers only zeros for half a minute is told by its number, once."""
    pair = np.stack([zeros(32), noise(32)], axis=1)
    (told, warnings), *more = hear(SignalMonitor(GATE, True, 2), pair)
    assert warnings == ["channel 1 delivers only zeros: check its cable, or choose --channel 2"]
    assert told == pytest.approx(30, abs=0.2)
    assert more == []
    assert hear(SignalMonitor(GATE, False, 2), pair) == []


def test_faults_name_their_channel(noise: Make) -> None:
    """What is wrong with some of the channels is told with their numbers, also where their average is in order."""
    pair = np.stack([noise(3) + np.float32(0.2), noise(3) - np.float32(0.2), noise(3), noise(3)], axis=1)
    pair[1000, 2] = 1.0
    pair[1000, 3] = np.nan
    monitor = SignalMonitor(GATE, True, 4)
    assert [text.partition(":")[0] for text in feed(monitor, Converter(SAMPLE_RATE, 4), pair)] == [
        "channel 4 holds samples that are not numbers, which are taken as zeros",
        "channel 3 is at full scale",
        "each of channels 1, 2 has a DC offset",
    ]


@pytest.mark.parametrize("gain", [1.3, 4.0, 30.0, 1000.0])
def test_what_goes_beyond_full_scale_is_told_once(demo: Array, gain: float) -> None:
    """Floating-point samples above full scale are told as that, once: they are neither clipped nor off centre."""
    told = hear(SignalMonitor(GATE, live=False), demo[: 60 * SAMPLE_RATE] * np.float32(gain))
    assert [[text.partition(":")[0] for text in warnings] for _, warnings in told if warnings] == [
        ["the input goes beyond full scale"]
    ]


def test_clipping_is_no_offset_and_an_offset_is_none_of_clipping(noise: Make) -> None:
    """A wave that is clipped on one side is told as clipped alone; one that an offset drives to full scale as both."""
    time = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    lopsided = sum(np.cos(2 * np.pi * 220 * n * time) for n in range(1, 9)).astype(
        np.float32
    )  # tall one way, flat the other
    clipped = np.clip(0.5 * lopsided, -1.0, 1.0)
    assert abs(clipped.mean()) > 0.05
    shifted = np.clip(0.9 + 0.3 * np.sin(2 * np.pi * 220 * time), -1.0, 1.0).astype(np.float32)
    for audio, expected in ((clipped, ["full scale"]), (shifted, ["full scale", "DC offset"])):
        told = feed(SignalMonitor(GATE, live=True), Converter(SAMPLE_RATE, 1), audio)
        assert [text.partition(":")[0][-len(want) :] for text, want in zip(told, expected, strict=True)] == expected


def test_a_file_may_stand_still() -> None:
    """Digital silence in a file is a pause, and told only when it is a long one."""
    (told, (warning,)) = hear(SignalMonitor(GATE, live=False), zeros(35))[0]
    assert warning.startswith("nothing above -70 dBFS for 30 s: ")
    assert told == pytest.approx(30, abs=0.2)


def test_all_is_told_at_once(noise: Make) -> None:
    """Several faults are told together, and each one once."""
    monitor, converter = SignalMonitor(GATE, live=True), Converter(SAMPLE_RATE, 1)
    audio = np.concatenate([noise(3) + np.float32(0.2), zeros(2.5)])
    audio[[1000, 2000]] = 1.0, np.nan
    told = feed(monitor, converter, audio)
    assert len(told) == len(set(told)) == 4


@pytest.mark.slow
@pytest.mark.parametrize("size", [101, 1000, SAMPLE_RATE // 5, 60_000])
def test_blocks_do_not_matter(noise: Make, size: int) -> None:
    """Blocks of any size lead to the same warnings, told with the block that completes what they stand on."""
    audio = np.concatenate([noise(0.5), zeros(2.5), noise(1), noise(2.5) + np.float32(0.1)])
    whole, parts = SignalMonitor(GATE, live=True), SignalMonitor(GATE, live=True)
    told = [warnings for _, warnings in hear(parts, audio, size)]
    assert parts.warnings == feed(whole, Converter(SAMPLE_RATE, 1), audio)
    assert "DC offset" in whole.warnings[0]
    if size <= SAMPLE_RATE // 5:
        assert [[text.partition(":")[0] for text in texts] for texts in told[:2]] == [
            ["the input delivers only zeros"],
            [],
        ]
