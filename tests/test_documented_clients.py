"""The clients that the documentation shows, each run as it stands there against a real server."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from stream.protocol.requests import DEFAULT_TYPES
from tests.support.serving import PATIENCE, Stage, staged

ROOT = Path(__file__).parents[1]
CLIENTS = ROOT / "docs" / "clients"
NODE = ("node", "--experimental-websocket")  # which version 22 does without
PLACE = "127.0.0.1:8765"


def shown() -> dict[str, tuple[str, str]]:
    """Return the language and text of each program on a page that connects to a service, by page and number."""
    found = {}
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for number, (language, text) in enumerate(
            re.findall(r"^```(python|js)\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        ):
            if PLACE in text:
                found[f"{page.stem}-{number}"] = language, text
    return found


SHOWN = shown()


async def need_websocket() -> None:
    """Skip where Node.js cannot run what a browser runs."""
    if shutil.which(NODE[0]) is not None:
        process = await asyncio.create_subprocess_exec(*NODE, "-e", "WebSocket", stderr=asyncio.subprocess.DEVNULL)
        if await process.wait() == 0:
            return
    pytest.skip("needs Node.js with a WebSocket")


async def play(stage: Stage, *command: str | Path, lines: int, types: set[str]) -> list[str]:
    """Run a client, let the violin be followed by flute, piano, nothing and violin; return what it prints."""
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, cwd=ROOT)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            await stage.subscribed(*types)
            for seq, name in ((40, "flute"), (60, "piano"), (80, None), (100, "violin")):
                stage.hop(seq, name)
            return [(await process.stdout.readline()).decode().rstrip() for _ in range(lines)]
    finally:
        process.kill()
        await process.wait()


CHANGES = ["10.00 s  flute", "15.00 s  piano", "20.00 s  unknown", "25.00 s  violin"]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ([sys.executable, CLIENTS / "changes.py", "ws://{}/ws"], CHANGES),
        ([sys.executable, CLIENTS / "cue.py", "flute", "{}"], ["off", "on", "off"]),
        ([*NODE, CLIENTS / "changes.mjs", "ws://{}/ws"], CHANGES),
    ],
    ids=["changes.py", "cue.py", "changes.mjs"],
)
async def test_clients_in_files_work(command: list[str | Path], expected: list[str]) -> None:
    """The clients of the documentation print what they say they do."""
    if command[0] == NODE[0]:
        await need_websocket()
    async with staged() as stage:
        parts = [part.format(stage.address) if isinstance(part, str) else part for part in command]
        told = await play(stage, *parts, lines=len(expected), types={"change"})
    assert [line.strip() for line in told] == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("getting-started-0", ["10.00 s  flute", "25.00 s  violin"]),
        ("getting-started-1", ["10 unknown", "25 violin"]),
        ("python-2", ["10.00 s  flute", "15.00 s  piano", "25.00 s  violin"]),
    ],
)
async def test_clients_on_pages_print_what_they_ask_for(name: str, expected: list[str]) -> None:
    """A program on a page names the instruments that it asked for, and no other."""
    language, text = SHOWN[name]
    python = language == "python"
    if not python:
        await need_websocket()
    async with staged() as stage:
        text = text.replace(PLACE, stage.address)
        # The examples leave out what only a pipe needs: to be told at once.
        command = [sys.executable, "-u", "-c", text] if python else [*NODE, "-e", text]
        types = DEFAULT_TYPES if python else {"change"}
        assert [line.strip() for line in await play(stage, *command, lines=len(expected), types={*types})] == expected


def test_no_client_on_a_page_is_left_out() -> None:
    """Whatever program connects on a page is run above."""
    (cases,) = [it for it in test_clients_on_pages_print_what_they_ask_for.pytestmark if it.name == "parametrize"]  # type: ignore[attr-defined]
    assert {name for name, _ in cases.args[1]} == SHOWN.keys()
