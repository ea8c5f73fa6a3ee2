"""A sound server with a microphone: PulseAudio with a null sink, whose monitor is PortAudio's default input."""

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

from tests.support.waiting import PATIENCE

TOOLS = ("pulseaudio", "pactl", "paplay")


def missing() -> str | None:
    """Say what a sound server lacks on this machine, if anything."""
    lacking = [tool for tool in TOOLS if shutil.which(tool) is None]
    if lacking:
        return f"needs {', '.join(lacking)}: apt install pulseaudio pulseaudio-utils libasound2-plugins"
    try:
        import sounddevice  # noqa: F401
    except OSError:
        return "needs PortAudio: apt install libportaudio2"
    return None


class SoundServer:
    """A running PulseAudio of our own, apart from any that the machine may have.

    Parameters
    ----------
    folder : path
        Where it keeps its socket.
    """

    def __init__(self, folder: Path) -> None:
        self.daemon: Process | None = None
        self._started: list[Process] = []
        self._folder = folder
        self.env = {
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_RUNTIME_PATH": str(folder / "pulse"),
            "PULSE_STATE_PATH": str(folder / "state"),
            "PULSE_SERVER": f"unix:{folder}/pulse/native",
        }

    async def start(self, *command: str) -> Process:
        """Start a program that uses this sound server; it ends with the server at the latest."""
        process = await asyncio.create_subprocess_exec(
            *command, env={**os.environ, **self.env}, stdout=DEVNULL, stderr=DEVNULL
        )
        self._started.append(process)
        return process

    async def call(self, *command: str) -> int:
        """Run a program that uses this sound server to its end."""
        return await (await self.start(*command)).wait()

    async def play(self, file: Path) -> Process:
        """Start to play a file into the microphone."""
        return await self.start("paplay", "-d", "stage", str(file))

    async def add_microphone(self, name: str = "stage") -> None:
        """Add a microphone; the first is the default."""
        assert await self.call("pactl", "load-module", "module-null-sink", f"sink_name={name}", "rate=44100") == 0

    async def remove_microphones(self) -> None:
        """Take all microphones away."""
        assert await self.call("pactl", "unload-module", "module-null-sink") == 0

    def list_as(self, *names: str) -> None:
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
        if self.daemon.returncode is None:
            self.daemon.send_signal(signal.SIGCONT)

    async def end(self) -> None:
        """End all that was started, the sound server, which came first, among it."""
        for process in self._started:
            if process.returncode is None:
                process.terminate()
        for process in self._started:
            await process.wait()


@contextlib.asynccontextmanager
async def running_sound_server() -> AsyncIterator[SoundServer]:
    """A sound server with a microphone, for as long as the context lasts."""
    folder = Path(tempfile.mkdtemp(prefix="soloist-sound-"))  # short: the path of a socket has 107 characters
    server = SoundServer(folder)
    server.daemon = await server.start(
        "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "-L", "module-native-protocol-unix"
    )
    try:
        async with asyncio.timeout(PATIENCE):
            while await server.call("pactl", "info"):  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.1)
        await server.add_microphone()
        yield server
    finally:
        server.thaw()
        await server.end()
        shutil.rmtree(folder, ignore_errors=True)
