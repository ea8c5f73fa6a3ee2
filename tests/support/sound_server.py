"""A room with a microphone: PulseAudio with a null sink, whose monitor PortAudio hears as its default input."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from pathlib import Path

TOOLS = ("pulseaudio", "pactl", "paplay")


def missing() -> str | None:
    """Say what a room lacks on this machine, if anything."""
    lacking = [tool for tool in TOOLS if shutil.which(tool) is None]
    if lacking:
        return f"needs {', '.join(lacking)}: apt install pulseaudio pulseaudio-utils libasound2-plugins"
    try:
        import sounddevice  # noqa: F401
    except OSError:
        return "needs PortAudio: apt install libportaudio2"
    return None


class Room:
    """A running PulseAudio of our own, apart from any that the machine may have.

    Parameters
    ----------
    folder : path
        Where it keeps its socket.
    """

    def __init__(self, folder: Path) -> None:
        self.daemon: Process | None = None
        self._folder = folder
        self.env = {
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_RUNTIME_PATH": str(folder / "pulse"),
            "PULSE_STATE_PATH": str(folder / "state"),
            "PULSE_SERVER": f"unix:{folder}/pulse/native",
        }

    async def start(self, *command: str) -> Process:
        """Start a program inside the room."""
        return await asyncio.create_subprocess_exec(
            *command, env={**os.environ, **self.env}, stdout=DEVNULL, stderr=DEVNULL
        )

    async def call(self, *command: str) -> int:
        """Run a program inside the room to its end."""
        return await (await self.start(*command)).wait()

    async def play(self, file: Path) -> Process:
        """Start to play a file into the room."""
        return await self.start("paplay", "-d", "stage", str(file))

    async def plug_in(self, name: str = "stage") -> None:
        """Put a microphone there; the first is the default."""
        assert await self.call("pactl", "load-module", "module-null-sink", f"sink_name={name}", "rate=44100") == 0

    async def pull_plug(self) -> None:
        """Take all microphones away."""
        assert await self.call("pactl", "unload-module", "module-null-sink") == 0

    def name(self, *names: str) -> None:
        """Let PortAudio list microphones under their names, in this order, from when it looks next."""
        listed = (f'pcm.{name} {{ type pulse device "{name}.monitor" }}\n' for name in names)
        (self._folder / ".asoundrc").write_text("".join(listed))

    def freeze(self) -> None:
        """Let the sound server hang: what asks it anything waits."""
        assert self.daemon is not None
        self.daemon.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the sound server go on."""
        assert self.daemon is not None
        self.daemon.send_signal(signal.SIGCONT)


@contextlib.asynccontextmanager
async def room() -> AsyncIterator[Room]:
    """A room with a microphone, for as long as the context lasts."""
    folder = Path(tempfile.mkdtemp(prefix="soloist-room-"))  # short: the path of a socket has 107 characters
    place = Room(folder)
    daemon = place.daemon = await place.start(
        "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "-L", "module-native-protocol-unix"
    )
    try:
        async with asyncio.timeout(20):
            while await place.call("pactl", "info"):  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.1)
        await place.plug_in()
        yield place
    finally:
        place.thaw()
        daemon.terminate()
        await daemon.wait()
        shutil.rmtree(folder, ignore_errors=True)
