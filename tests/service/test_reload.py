"""SIGHUP: other settings for the running program, for which no audio and no client is lost."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from stream.recognition.mel import HOP_LENGTH, SAMPLE_RATE
from stream.recognition.settings import HOP
from stream.session_log.reader import LogReader
from tests.support.certificates import Certificate, make
from tests.support.processes import Service, serving
from tests.support.serving import check


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of settings, empty at first."""
    path = tmp_path / "soloist.toml"
    path.write_text("")
    return path


def reload(service: Service, file: Path, text: str) -> None:
    """Write other settings, and have the service read them."""
    file.write_text(text)
    service.process.send_signal(signal.SIGHUP)


async def told(client: ClientConnection, *enough: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """Return the messages up to one for which each of these holds, one after the other."""
    messages: list[dict[str, Any]] = []
    for is_it in enough:
        while True:
            messages.append(check(await client.recv()))
            if is_it(messages[-1]):
                break
    return messages


def is_hello(message: dict[str, Any]) -> bool:
    """Whether a service says who it is."""
    return bool(message["type"] == "hello")


def names(message: dict[str, Any]) -> bool:
    """Whether an instrument is named."""
    return bool(message["type"] == "label" and message["state"] == "instrument")


async def complaint(service: Service, words: str) -> str:
    """Wait for a line on standard error."""
    while True:
        if found := next((line for line in service.complaints if words in line), None):
            return found
        await asyncio.sleep(0.02)


def gapless(messages: list[dict[str, Any]], hops: tuple[float, ...] = (HOP,)) -> None:
    """See that no hop and no moment is missing."""
    labels = [message for message in messages if message["type"] == "label"]
    for before, after in itertools.pairwise(labels):
        assert after["seq"] == before["seq"] + 1
        step = after["time"] - before["time"]
        assert any(step == pytest.approx(hop, abs=2e-4) for hop in hops)
    segments = [message for message in messages if message["type"] == "segment"]
    for before, after in itertools.pairwise(segments):
        assert after["start"] == before["end"]


@pytest.mark.slow
async def test_another_model_goes_on_where_the_first_was(file: Path, tmp_path: Path) -> None:
    """Hello names the new model, sequence and time have no gap, the log goes on, and only the old labels are over."""
    log = tmp_path / "log.db"
    arguments = ("--input", "demo", "--config", str(file), "--session-log", str(log), "--log-level", "warning")
    async with serving(*arguments) as service, asyncio.timeout(40), connect(f"ws://{service.address}/ws") as client:
        messages = await told(client, names)
        start = len(list(filter(is_hello, messages)))  # once more when audio has come, and its time is known
        reload(service, file, 'model = "small"\n')
        messages += await told(client, is_hello, names)
        await complaint(service, "the settings were read again")
        reload(service, file, 'model = "small"\nhop = 0.5\ninstruments = ["piano", "violin"]\n')
        messages += await told(client, is_hello, names)
        gapless(messages, (HOP, 22 * HOP_LENGTH / SAMPLE_RATE))
        first, second, third = list(filter(is_hello, messages))[start - 1 :]
        assert (first["model"], second["model"], third["model"]) == ("lead", "small", "small")
        assert (first["utc"], first["run"]) == (second["utc"], second["run"]) == (third["utc"], third["run"])
        assert third["lineup"] == ["piano", "violin"]
        assert third["hop"] == pytest.approx(22 * HOP_LENGTH / SAMPLE_RATE, abs=1e-4)
        assert {message["type"] for message in messages} >= {"hello", "label", "status", "segment"}
    with LogReader(log) as reader:
        (session,) = reader.sessions()
    assert (session.run, session.sources, session.models) == (third["run"], ("demo",), ("lead", "small"))
    assert third["since"] == second["since"] == pytest.approx(session.parts[1].since - session.start, abs=1e-3)


@pytest.mark.slow
async def test_a_broken_file_changes_nothing(file: Path) -> None:
    """What cannot be used is told with its place, and all goes on as before, also when the model is at fault."""
    async with (
        serving("--input", "demo", "--config", str(file)) as service,
        asyncio.timeout(40),
        connect(f"ws://{service.address}/ws") as client,
    ):
        messages = await told(client, names)
        known = len(list(filter(is_hello, messages)))
        for text, words in (
            ('model = "small"\nport = "x"\n', f'{file}:2: port is "x"; expected a whole number'),
            ('\nmodel = "none"\n', f'{file}:2: model is "none": '),
            ('instruments = ["kazoo"]\n', f'{file}:1: instruments names "kazoo", which model lead does not know'),
        ):
            reload(service, file, text)
            assert "the settings stay as they were: " in await complaint(service, words)
        messages += await told(client, names, names)
        gapless(messages)
        assert len(list(filter(is_hello, messages))) == known


async def test_what_would_fail_at_the_next_start_is_refused_now(file: Path) -> None:
    """Settings that only the next start would use are tried as well; if one cannot be used, none of the others is."""
    async with serving("--input", "demo", "--config", str(file)) as service, asyncio.timeout(40):
        for text, words in (
            ('connections = 1\nhost = "0.0.0.0"\n', f'{file}:2: host is "0.0.0.0", where others can come in'),
            ("connections = 1\n\nchannel = 7\n", f"{file}:3: channel is 7; the source has 1"),
            ('connections = 1\nopen = true\nhost = "no.invalid"\n', f'{file}:3: host is "no.invalid": '),
        ):
            reload(service, file, text)
            assert "the settings stay as they were: " in await complaint(service, words)
        url = f"ws://{service.address}/ws"
        async with connect(url), connect(url):  # more than one, as before
            pass
        reload(service, file, 'connections = 1\nopen = true\nhost = "0.0.0.0"\n')
        await complaint(service, f"{file}:3: host takes effect at the next start")


async def test_a_pipe_in_place_of_a_file_is_refused(file: Path, tmp_path: Path) -> None:
    """A pipe that nobody writes to is not waited for: the settings stay, and the service obeys."""
    async with serving("--input", "demo", "--config", str(file)) as service, asyncio.timeout(30):
        os.mkfifo(tmp_path / "pipe")
        reload(service, file, f'token_file = "{tmp_path}/pipe"')
        await complaint(service, f'{file}:1: token_file is "{tmp_path}/pipe": not a file')
        os.replace(tmp_path / "pipe", file)
        service.process.send_signal(signal.SIGHUP)
        await complaint(service, f"the settings stay as they were: {file}: not a file")
    assert service.process.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["soloist.toml", "token"])
async def test_a_disk_that_does_not_answer_stops_nothing(tmp_path: Path, name: str) -> None:
    """While a file that the settings name cannot be read, health is told and labels go on, and SIGTERM is obeyed."""
    # A disk that hangs from some moment on, as that of a server that has gone does.
    (tmp_path / "sitecustomize.py").write_text(
        "import os, time\n"
        "real = os.open\n"
        "def dead(path, *rest, **more):\n"
        f"    if str(path).endswith({'/' + name!r}) and os.path.exists({str(tmp_path / 'dead')!r}):\n"
        f"        open({str(tmp_path / 'asked')!r}, 'w').close()\n"
        "        time.sleep(1000)\n"
        "    return real(path, *rest, **more)\n"
        "os.open = dead\n"
    )
    file, token = tmp_path / "soloist.toml", tmp_path / "token"
    token.write_text("sesame")
    file.write_text(f'token_file = "{token}"\n')
    env = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.getcwd()}"}
    headers = {"Authorization": "Bearer sesame"}
    async with serving("--input", "demo", "--config", str(file), env=env) as service, asyncio.timeout(40):
        async with connect(f"ws://{service.address}/ws", additional_headers=headers) as client:
            (tmp_path / "dead").touch()
            service.process.send_signal(signal.SIGHUP)
            service.process.send_signal(signal.SIGHUP)
            while True:
                if (tmp_path / "asked").exists():
                    break
                await asyncio.sleep(0.02)
            answer = await asyncio.to_thread(urlopen, f"{service.url}healthz", timeout=10)
            assert answer.status == 200
            await told(client, names, names)
        service.process.terminate()
        await service.process.wait()
    assert service.process.returncode == 0


@pytest.mark.slow
async def test_a_token_is_asked_of_who_comes_and_what_is_fixed_is_told(file: Path) -> None:
    """A client stays that came before there was a token; another port is told to need a start."""
    async with (
        serving("--input", "demo", "--config", str(file)) as service,
        asyncio.timeout(40),
        connect(f"ws://{service.address}/ws") as client,
    ):
        await told(client, names)
        reload(service, file, 'token = "sesame"\nwait = true\n')
        await told(client, is_hello, names)
        assert await complaint(service, "next start") == f"soloist: {file}:2: wait takes effect at the next start"
        url = f"ws://{service.address}/ws"
        async with connect(url) as stranger:
            await stranger.send('{"type":"ping"}')
            assert check(await stranger.recv())["code"] == "unauthorized"
        async with connect(url, additional_headers={"Authorization": "Bearer sesame"}) as friend:
            await told(friend, names)
        reload(service, file, 'token = "sesame"\nconnections = 1\n')
        await told(client, is_hello)
        with pytest.raises(InvalidStatus, match="503"):
            await connect(url)
        assert "sesame" not in "".join(service.complaints)


async def test_systemd_is_told_when_it_reloads(file: Path, tmp_path: Path) -> None:
    """RELOADING=1 comes with the time, and READY=1 when it is done, also when nothing could be used."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.setblocking(False)
        loop = asyncio.get_running_loop()

        async def told_by_service() -> AsyncIterator[list[str]]:
            while True:
                yield (await loop.sock_recv(manager, 4096)).decode().splitlines()

        arguments = ("--input", "demo", "--config", str(file))
        async with serving(*arguments, env={"NOTIFY_SOCKET": path}) as service, asyncio.timeout(30):
            datagrams = told_by_service()
            for text in ("", "port = 0.5", "gate = -60.0"):
                async for lines in datagrams:
                    if lines[0] == "READY=1":
                        break
                reload(service, file, text)
                async for lines in datagrams:
                    if lines[0] == "RELOADING=1":
                        assert lines[1].startswith("MONOTONIC_USEC=")
                        break
            async for lines in datagrams:
                if lines[0] == "READY=1":
                    break


async def test_a_renewed_certificate_is_shown_to_who_comes(certificate: Certificate, tmp_path: Path) -> None:
    """The files of a certificate may become others; if they are broken, the last one stays."""
    mine = make(tmp_path)
    renewed = mine.certificate.read_text()
    shutil.copyfile(certificate.certificate, mine.certificate)
    spare = shutil.copyfile(mine.key, tmp_path / "spare.key")
    shutil.copyfile(certificate.key, mine.key)
    arguments = ("--input", "demo", "--certificate", str(mine.certificate), "--key", str(mine.key))
    async with serving(*arguments) as service, asyncio.timeout(40):
        place = ("127.0.0.1", int(service.port))
        first = await asyncio.to_thread(ssl.get_server_certificate, place)
        shutil.copyfile(spare, mine.key)
        reload(service, mine.certificate, renewed)
        await complaint(service, "the settings were read again")
        second = await asyncio.to_thread(ssl.get_server_certificate, place)
        reload(service, mine.certificate, "broken")
        await complaint(service, "the settings stay as they were: --certificate is ")
        assert await asyncio.to_thread(ssl.get_server_certificate, place) == second != first
