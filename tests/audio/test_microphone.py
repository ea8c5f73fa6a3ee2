"""An input of a PortAudio that the tests make up."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import numpy as np
import pytest

from stream.audio.microphone import Microphone
from stream.errors import SourceLostError
from tests.support.fake_portaudio import (
    HOST,
    INVALID_CHANNELS,
    INVALID_RATE,
    UNAVAILABLE,
    FakePortAudio,
)


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
