"""The choice among the inputs of a PortAudio that the tests make up."""

from __future__ import annotations

import threading

import pytest

from stream.audio import portaudio
from stream.audio.devices import find_device, list_devices
from stream.errors import SourceLostError
from tests.support.fake_portaudio import (
    FakePortAudio,
)


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


def test_a_sound_system_that_is_away_is_a_loss(fake: FakePortAudio) -> None:
    """PortAudio without a sound system is asked again and again, and each time it is a loss, not a crash."""
    fake.fails = True
    for _ in range(2):
        with pytest.raises(SourceLostError, match="the sound system does not start: Error initializing PortAudio"):
            portaudio.restart()
    with pytest.raises(SourceLostError, match="the sound system lists no devices"):
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
