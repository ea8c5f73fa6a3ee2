"""Inputs of a sound server with many channels, each of which is heard as what it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
import soxr

from stream.audio.sound_server import ServerMicrophone, default_input, find_server_input
from stream.errors import SourceLostError
from stream.recognition.mel import Array
from tests.support.hearing import listening
from tests.support.processes import serving
from tests.support.sound_server import SoundServer, missing, running_sound_server
from tests.support.waiting import PATIENCE

WITHOUT = missing()
pytestmark = [pytest.mark.skipif(WITHOUT is not None, reason=str(WITHOUT)), pytest.mark.sound_server]

RATE = 44_100
CHANNELS = 8
MAPS = {"usual": "", "professional": f"channel_map={','.join(f'aux{n}' for n in range(CHANNELS))}"}


async def add_interface(server: SoundServer, name: str, file: Path) -> None:
    """Add an input with eight channels, the default from now on, that hears a file's eight channels for ever."""
    options = [f"sink_name={name}", f"rate={RATE}", f"channels={CHANNELS}", *filter(None, [MAPS[name]])]
    assert await server.call("pactl", "load-module", "module-null-sink", *options) == 0
    assert await server.call("pactl", "set-default-source", f"{name}.monitor") == 0
    form = ["--raw", f"--rate={RATE}", f"--channels={CHANNELS}", "--no-remap", "--no-remix", "--latency-msec=20"]
    await server.start("pacat", f"--device={name}", *form, str(file))


async def record(microphone: ServerMicrophone) -> Array:
    """Return half a second of an input, from its first sound on."""
    heard = np.zeros((0, microphone.channels), np.float32)
    async with asyncio.timeout(PATIENCE):
        while len(heard) < RATE // 2:
            block = await microphone.queue.get()
            assert block is not None
            if len(heard) or block.frames.any():
                heard = np.concatenate([heard, block.frames])
    return heard[-RATE // 4 :]


async def test_each_channel_is_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of eight channels with a tone each, with usual names and with those of professional interfaces, none is mixed."""
    file = tmp_path / "tones.raw"
    tones = np.sin(2 * np.pi * np.outer(np.arange(30 * RATE) / RATE, 400 * np.arange(1, CHANNELS + 1)))
    (8_000 * tones).astype("<i2").tofile(file)
    async with running_sound_server() as server:
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)
        assert find_server_input("pulse", 2) is None  # the input with two channels is left to ALSA
        with pytest.raises(SourceLostError, match="'pulse' has 2 channels, and no channel 3"):
            find_server_input("pulse", 3)
        for name in MAPS:
            await add_interface(server, name, file)
            found = find_server_input("default", CHANNELS)
            assert found is not None
            assert (found.name, found.rate, found.channels) == (f"{name}.monitor", RATE, CHANNELS)
            microphone = ServerMicrophone("default", found)
            heard = await record(microphone)
            spectra = np.abs(np.fft.rfft(heard, axis=0))[100::100][:CHANNELS]  # of 400 Hz and its multiples
            assert np.argmax(spectra, axis=0).tolist() == list(range(CHANNELS))
            others = spectra - np.diag(np.diag(spectra))
            assert others.max() < 1e-3 * np.diag(spectra).min()
            microphone.close()
        assert find_server_input("USB Audio: - (hw:1,0)", 3) is None
        with monkeypatch.context() as patch:
            patch.setenv("PATH", str(tmp_path))
            with pytest.raises(SourceLostError, match=r"channel 7 of input 'pulse' may be another.*pulseaudio-utils"):
                find_server_input("pulse", 7)
    assert default_input() is None  # nobody answers any more


async def test_a_channel_of_a_professional_interface_is_heard(tmp_path: Path, demo: Array) -> None:
    """The seventh of eight channels, which ALSA's programs do not get at all, is named by the service."""
    frames = np.zeros((len(demo), CHANNELS), np.float32)
    frames[:, 6] = demo
    file = tmp_path / "seventh.raw"
    (32_767 * soxr.resample(frames[: 20 * 22_050], 22_050, RATE)).astype("<i2").tofile(file)
    async with running_sound_server() as server:
        await add_interface(server, "professional", file)
        async with serving("--channel", "7", env=server.env) as service, listening(service.address) as subscriber:
            async with asyncio.timeout(PATIENCE):
                named = await subscriber.until(type="label", state="instrument")
            assert named["label"] == "piano"
            await server.end()  # and its end is noticed
            lost = await subscriber.until(type="status", source="waiting")
            assert lost["message"] is not None
