"""Devices of a PortAudio that the tests make up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stream.audio import portaudio
from stream.audio.devices import find_device, list_devices
from stream.audio.microphone import Microphone
from stream.errors import SourceLostError

INVALID_RATE, INVALID_CHANNELS, UNAVAILABLE, HOST = -9997, -9998, -9985, -9999


class PortAudioError(Exception):
    """As sounddevice has it: text, number, and what the sound system below says."""


class Stream:
    """An open input."""

    def __init__(self, fake: FakePortAudio, **options: Any) -> None:
        fake.asked.append((options["samplerate"], options["channels"]))
        code = fake.refuses(options["samplerate"], options["channels"])
        if code:
            text = f"Error opening InputStream: no [PaErrorCode {code}]"
            raise PortAudioError(text, code, *([(0, -5, fake.said)] if code == HOST else []))
        self.options = options
        fake.open.append(self)
        self._port = fake

    def start(self) -> None:
        """Begin."""
        if self._port.dead:
            raise PortAudioError("Error starting stream: dead", UNAVAILABLE)

    def close(self, ignore_errors: bool) -> None:
        """End."""
        self._port.open.remove(self)


@dataclass
class FakePortAudio:
    """What stands in for sounddevice."""

    names: list[str]
    standard: int = 0
    """Index of the default input."""
    channels: int = 2
    said: str = "Input/output error"
    """What the sound system says when it refuses."""
    dead: bool = False
    fails: bool = False
    refuses: Callable[[int, int], int | None] = lambda rate, channels: None
    asked: list[tuple[int, int]] = field(default_factory=list)
    open: list[Stream] = field(default_factory=list)
    starts: int = 0
    PortAudioError = PortAudioError

    @property
    def default(self) -> SimpleNamespace:
        """The default devices."""
        return SimpleNamespace(device=(self.standard, -1))

    def query_hostapis(self) -> list[dict[str, Any]]:
        """Return the sound systems."""
        return [{"name": "ALSA"}]

    def query_devices(self) -> list[dict[str, Any]]:
        """Return the devices."""
        if self.fails:
            raise PortAudioError("PortAudio not initialized", -10000)
        rest = {"hostapi": 0, "max_input_channels": self.channels, "default_samplerate": 44_100.0}
        return [{"index": index, "name": name, **rest} for index, name in enumerate(self.names)]

    def InputStream(self, **options: Any) -> Stream:
        """Open an input."""
        return Stream(self, **options)

    def _terminate(self) -> None:
        raise PortAudioError("PortAudio not initialized", -10000)

    def _initialize(self) -> None:
        self.starts += 1
        if self.fails:
            raise PortAudioError("Error initializing PortAudio: Host API not found", -9979)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakePortAudio:
    """A machine with three inputs, the second of which is the default."""
    fake = FakePortAudio(["HDA Intel: ALC (hw:0,0)", "USB Audio CODEC: - (hw:1,0)", "USB Audio CODEC: - (hw:2,0)"], 1)
    monkeypatch.setattr(portaudio, "load", lambda: fake)
    return fake


def test_a_device_is_found_by_its_name_whatever_card_it_is(fake: FakePortAudio) -> None:
    """What was heard before comes first, by its full name or as another card, then what the name says."""
    heard = "USB Audio CODEC: - (hw:2,0)"
    assert find_device("usb").name == "USB Audio CODEC: - (hw:1,0)"
    assert find_device("usb", heard).name == heard
    fake.names = ["HDA Intel: ALC (hw:0,0)", "USB Other: - (hw:1,0)", "USB Audio CODEC: - (hw:7,0)"]
    assert find_device("usb", heard).name == "USB Audio CODEC: - (hw:7,0)"
    fake.names.pop()
    assert find_device("usb", heard).name == "USB Other: - (hw:1,0)"
    with pytest.raises(SourceLostError, match="no input device named 'codec'; found: 'HDA Intel: ALC"):
        find_device("codec", heard)


def test_the_default_input_is_waited_for_before_another_one_is(fake: FakePortAudio) -> None:
    """The default that was heard is taken again though another is the default now; strictly nothing else is."""
    heard = find_device(None).name
    assert heard == "USB Audio CODEC: - (hw:1,0)"
    fake.names, fake.standard = ["USB Audio CODEC: - (hw:3,0)", "HDA Intel: ALC (hw:0,0)"], 1
    assert find_device(None, heard).name == "USB Audio CODEC: - (hw:3,0)"
    fake.names = ["HDMI (hw:1,3)", "HDA Intel: ALC (hw:0,0)"]
    with pytest.raises(SourceLostError, match=r"input 'USB Audio CODEC: - \(hw:1,0\)' is not there"):
        find_device(None, heard, strict=True)
    assert find_device(None, heard).name == "HDA Intel: ALC (hw:0,0)"
    fake.standard = -1
    with pytest.raises(SourceLostError, match="no microphone or line input found"):
        find_device(None, heard)


async def test_a_refused_rate_is_replaced(fake: FakePortAudio, caplog: pytest.LogCaptureFixture) -> None:
    """A device that refuses its own rate is heard at the first that it takes, which is logged once."""
    fake.refuses = lambda rate, channels: INVALID_RATE if rate not in (32_000, 16_000) else None
    with caplog.at_level(logging.WARNING):
        heard = Microphone("ALC")
    assert (heard.rate, heard.channels) == (32_000, 2)
    assert fake.asked == [(44_100, 2), (48_000, 2), (32_000, 2)]
    assert [record.getMessage() for record in caplog.records] == [
        "input 'HDA Intel: ALC (hw:0,0)' refuses 44100 Hz with 2 channels; it is heard at 32000 Hz with 2"
    ]
    fake.open[0].options["callback"](np.ones((320, 2), np.float32), 320, None, SimpleNamespace(input_overflow=True))
    assert heard.queue.overflows == 1
    heard.close()
    assert not fake.open


@pytest.mark.parametrize(("channel", "expected"), [(None, 2), (1, 2), (2, 2)])
async def test_a_refused_number_of_channels_is_replaced(
    fake: FakePortAudio, channel: int | None, expected: int
) -> None:
    """A device that refuses as many channels as it says to have is heard with two, or one."""
    fake.channels = 10
    fake.refuses = lambda rate, channels: INVALID_CHANNELS if channels > 2 else None
    heard = Microphone(None, channel)
    assert (heard.rate, heard.channels) == (44_100, expected)
    assert fake.asked == [(44_100, 10), (44_100, 2)]


async def test_a_channel_that_is_refused_is_not_replaced(fake: FakePortAudio) -> None:
    """Who asks for the third channel does not get another one."""
    fake.channels = 10
    fake.refuses = lambda rate, channels: INVALID_CHANNELS if channels > 2 else None
    with pytest.raises(SourceLostError, match="cannot be opened"):
        Microphone(None, 3)
    with pytest.raises(SourceLostError, match="has 10 channels, and no channel 11"):
        Microphone(None, 11)


@pytest.mark.parametrize(
    ("code", "said", "told"),
    [
        (UNAVAILABLE, "", "another program uses it, or it is gone"),
        (HOST, "Input/output error", "the sound system refuses (Input/output error)"),
        (HOST, "", "the sound system refuses"),
        (-1, "", "Error opening InputStream: no [PaErrorCode -1]"),
    ],
)
async def test_a_device_that_does_not_open_is_asked_once(fake: FakePortAudio, code: int, said: str, told: str) -> None:
    """What is in the way for other reasons than the form of the audio is told at once, in words for a person."""
    fake.refuses, fake.said = (lambda rate, channels: code), said
    with pytest.raises(SourceLostError) as error:
        Microphone(None)
    assert str(error.value) == f"input 'USB Audio CODEC: - (hw:1,0)' cannot be opened: {told}"
    assert len(fake.asked) == 1


async def test_a_device_that_does_not_start_is_closed(fake: FakePortAudio) -> None:
    """A stream that opens and does not start is given back."""
    fake.dead = True
    with pytest.raises(SourceLostError, match="cannot be opened: another program uses it, or it is gone"):
        Microphone(None)
    assert not fake.open


async def test_a_lost_device_says_so(fake: FakePortAudio) -> None:
    """When PortAudio will call no more, the reader is told by name."""
    heard = Microphone(None)
    fake.open[0].options["finished_callback"]()
    with pytest.raises(SourceLostError, match=r"input 'USB Audio CODEC: - \(hw:1,0\)' was lost"):
        await heard.queue.get()


def test_a_sound_system_that_is_away_is_a_loss(fake: FakePortAudio) -> None:
    """PortAudio without a sound system is asked again and again, and each time it is a loss, not a crash."""
    fake.fails = True
    for _ in range(2):
        with pytest.raises(SourceLostError, match="the sound system does not start: Error initializing PortAudio"):
            portaudio.restart()
    with pytest.raises(SourceLostError, match="the sound system names no devices"):
        find_device(None)
    fake.fails = False
    portaudio.restart()
    assert find_device(None).default


def test_a_sound_system_that_hangs_is_not_waited_for(fake: FakePortAudio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for the list of devices gets it, or hears soon that nobody answers."""
    assert [device.name for device in list_devices()] == fake.names
    free = threading.Event()
    monkeypatch.setattr(fake, "query_hostapis", free.wait)
    with pytest.raises(SourceLostError, match="the sound system does not answer"):
        list_devices(timeout=0.01)
    free.set()
