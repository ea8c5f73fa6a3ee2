"""`soloist check-lines`, in processes of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from stream.recognition.mel import SAMPLE_RATE, Array
from tests.support.processes import SOLOIST, program, soloist
from tests.support.sound_server import missing, running_sound_server
from tests.support.stage import PLAN, eight_channels, room, solo
from tests.support.waiting import PATIENCE

Score = list[dict[str, Any]]
WITHOUT = missing()

TRIO = """\
[audio]
device = "not for this command"

[[line]]
name = "Anna"
channels = [1]
instruments = ["violin"]
[[line]]
name = "Ben"
channels = [2]
instruments = ["trumpet"]
"""


@pytest.fixture
def plan(tmp_path: Path) -> str:
    """A plan for two channels."""
    file = tmp_path / "duo.toml"
    file.write_text(TRIO)
    return str(file)


@pytest.fixture
def duo(tmp_path: Path, demo: Array, score: Score) -> Path:
    """Both of them playing where they belong."""
    file = tmp_path / "duo.wav"
    audio = np.stack([solo(demo, score, "violin"), solo(demo, score, "trumpet")], axis=1)
    soundfile.write(file, audio, SAMPLE_RATE, subtype="FLOAT")
    return file


@pytest.fixture
def stage(tmp_path: Path, demo: Array, score: Score) -> tuple[str, str]:
    """A plan for eight channels, and a stage on which most is wrong."""
    file = tmp_path / "stage.toml"
    file.write_text(PLAN)
    soundfile.write(tmp_path / "stage.wav", eight_channels(demo, score), SAMPLE_RATE, subtype="FLOAT")
    return str(file), str(tmp_path / "stage.wav")


async def test_a_stage_that_is_right_is_green(plan: str, duo: Path) -> None:
    """Lines of text for what changes, a table at the end, and status 0; with --seconds it ends when all are green."""
    status, out, err = await soloist("check-lines", plan, "--input", str(duo))
    assert (status, err) == (0, "")
    assert re.search(r"^  0:0\d  green: Anna \(1, violin\): heard$", out, re.MULTILINE)
    assert [line.split() for line in out.splitlines()[-3:]] == [
        ["line", "channel", "plan", "now"],
        ["green", "Anna", "1", "violin", "violin", "heard"],
        ["green", "Ben", "2", "trumpet", "trumpet", "heard"],
    ]
    status, out, _ = await soloist("check-lines", plan, "--input", str(duo), "--seconds", "11", "--json")
    end = json.loads(out.splitlines()[-1])
    assert (status, end["green"]) == (0, True)
    assert end["time"] < 11


async def test_what_is_wrong_is_told(stage: tuple[str, str]) -> None:
    """Standard error names the lines, and the status is 1."""
    status, out, err = await soloist("check-lines", stage[0], "--input", stage[1])
    assert (status, err) == (1, "soloist: not green: Anna, Ben, Dora, Emil\n")
    assert "amber: Anna (1, violin): the violin is on 2 and 8; on 1 there is a trumpet\n" in out
    table = out[out.index("         line") :].splitlines()
    anna = "amber Anna 1 violin trumpet the violin is on 2 and 8; on 1 there is a trumpet"
    assert " ".join(table[1].split()) == anna
    assert [line.split(maxsplit=6)[:6] for line in table[7:]] == [
        ["!", "channel", "3", "(Carla)", "was", "clipped"],
        ["!", "channel", "5", "(Keys)", "carries", "the"],
        ["!", "channel", "6", "(Dora)", "hums", "at"],
        ["!", "channel", "7", "(Emil)", "is", "silent"],
        ["!", "channel", "8", "carries", "the", "same"],
    ]


async def test_json_is_for_programs(stage: tuple[str, str]) -> None:
    """Each change is an object, and the last one tells how it was at the end."""
    status, out, _ = await soloist("check-lines", "--json", stage[0], "--input", stage[1])
    *changes, end = map(json.loads, out.splitlines())
    assert status == 1
    assert {it["type"] for it in changes} == {"line", "channel"}
    first = next(it for it in changes if it["type"] == "line" and it["name"] == "Keys")
    assert first | {"time": 0} == {
        "type": "line", "time": 0, "name": "Keys", "channels": [4, 5], "instruments": ["piano"],
        "state": "green", "elsewhere": [], "other": None, "message": "heard",
    }  # fmt: skip
    assert end["type"] == "end"
    assert (end["green"], end["device_channels"], len(end["levels"])) == (False, 8, 8)
    assert end["lines"][1]["elsewhere"] == [{"instrument": "trumpet", "channels": [1]}]
    told = {(it["channel"], it["warning"]) for it in changes if it["type"] == "channel"}
    assert told == {(3, "clipped"), (5, "copy"), (6, "hum"), (7, "silent"), (8, "copy")}


async def test_a_plan_that_cannot_be_used_is_refused(tmp_path: Path, duo: Path) -> None:
    """All that is wrong with it is told, a line each, and the status is 2."""
    file = tmp_path / "plan.toml"
    file.write_text(TRIO.replace("[1]", "[1, 1]").replace('"Ben"', '"Anna"'))
    status, out, err = await soloist("check-lines", str(file), "--input", str(duo))
    assert (status, out) == (2, "")
    assert err.splitlines() == [
        f"soloist: {file}:6: channels is [1, 1]; expected each channel once",
        f'soloist: {file}:9: "Anna" is the name of the line on line 4, too',
    ]
    file.write_text(TRIO.replace('"trumpet"', '"trumpt"'))
    status, out, err = await soloist("check-lines", str(file), "--input", str(duo))
    assert (status, out) == (2, "")
    assert err == (
        f'soloist: {file}:11: instruments of line "Ben" name "trumpt", which model lead does not know; '
        "did you mean trumpet?\n"
    )


async def test_other_mistakes_are_told(plan: str, tmp_path: Path) -> None:
    """A number that is none, a time that is none, a file that is not there."""
    for arguments, expected in (
        (("--seconds", "0"), (2, "soloist: --seconds is 0; expected more than 0\n")),
        (("--gate", "5"), (2, "soloist: --gate is 5.0; expected -120 to 0\n")),
        (("--input", f"{tmp_path}/no.wav"), (1, f"soloist: {tmp_path}/no.wav: no such file\n")),
    ):
        status, out, err = await soloist("check-lines", plan, *arguments)
        assert (status, err, out) == (*expected, "")


def test_a_table_stays_in_place_in_a_terminal(plan: str, duo: Path) -> None:
    """It is drawn over with each second of the file, in colours, and left as it is at the end."""
    terminal, shell = os.openpty()
    process = subprocess.Popen([*SOLOIST, "check-lines", plan, "--input", str(duo)], stdout=shell)
    os.close(shell)
    seen = b"".join(_read(terminal)).decode()
    os.close(terminal)
    assert process.wait() == 0
    assert seen.count("\x1b[3A\r\x1b[J") >= 10
    assert seen.split("\x1b[J")[-1].splitlines()[1].startswith("\x1b[32mgreen\x1b[m  Anna  1        violin")


def _read(terminal: int) -> Iterator[bytes]:
    with contextlib.suppress(OSError):  # which Linux raises where the other side is closed
        while data := os.read(terminal, 65_536):
            yield data


@pytest.mark.slow
async def test_a_pipe_is_heard_as_it_comes(plan: str, demo: Array, score: Score) -> None:
    """Raw audio on standard input is checked until all are green; Ctrl-C ends it with the table, too."""
    audio = np.stack([solo(demo, score, "violin"), solo(demo, score, "piano")], axis=1)
    command = (*SOLOIST, "check-lines", plan, "--input", "-", "--pcm", f"f32le:{SAMPLE_RATE}:2")
    async with (
        asyncio.timeout(PATIENCE),
        program(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(audio.astype("<f4").tobytes())
        assert await process.stdout.readline() == b"listening to standard input: 2 channels at 22050 Hz\n"
        while b"green: Anna" not in await process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        out, err = (part.decode() for part in await process.communicate())
    assert (process.returncode, err) == (1, "soloist: not green: Ben\n")
    assert "green    Anna" in out
    assert "waiting  Ben" in out


@pytest.mark.sound_server
@pytest.mark.skipif(WITHOUT is not None, reason=str(WITHOUT))
async def test_a_device_that_is_unplugged_is_waited_for(tmp_path: Path, demo: Array, score: Score) -> None:
    """Eight channels of a sound server: the loss is told, and what was heard before counts when it is back."""
    audio = room(8)
    audio[:, 6] += solo(demo, score, "violin")
    audio[:, 1] += solo(demo, score, "trumpet")
    raw = tmp_path / "stage.raw"
    audio.astype("<f4").tofile(raw)
    plan = tmp_path / "plan.toml"
    plan.write_text(TRIO.replace("[1]", "[7]").replace("[2]", "[12]"))
    names = f"channel_map={','.join(f'aux{n}' for n in range(8))}"
    form = (f"rate={SAMPLE_RATE}", "channels=8", names)

    async with asyncio.timeout(PATIENCE), running_sound_server() as server:

        async def plug() -> None:
            assert await server.call("pactl", "load-module", "module-null-sink", "sink_name=desk", *form) == 0
            assert await server.call("pactl", "set-default-source", "desk.monitor") == 0
            parts = ("--raw", "--format=float32le", f"--rate={SAMPLE_RATE}", "--channels=8", "--no-remap", "--no-remix")
            await server.start("pacat", "--device=desk", *parts, str(raw))

        await plug()
        command = (*SOLOIST, "check-lines", str(plan), "--device", "pulse", "--json")
        async with program(*command, stdout=PIPE, stderr=DEVNULL, env={**os.environ, **server.env}) as process:
            assert process.stdout is not None
            told: list[dict[str, Any]] = []

            async def until(**wanted: object) -> dict[str, Any]:
                async for line in process.stdout or ():
                    told.append(json.loads(line))
                    if all(str(value) in str(told[-1].get(key)) for key, value in wanted.items()):
                        return told[-1]
                raise AssertionError(f"it ended before {wanted}: {told}")

            await until(type="source", message="listening to pulse: 8 channels")
            missed = await until(type="line", name="Ben")
            assert missed["message"] == "the plan has channel 12; the device has 8"
            await until(type="line", name="Anna", state="green")
            assert await server.call("pactl", "unload-module", "module-null-sink") == 0
            await until(type="source", message="waiting: input 'pulse'")
            await plug()
            await until(type="source", message="listening to pulse: 8 channels")
            process.send_signal(signal.SIGINT)
            end = await until(type="end")
            assert [line["state"] for line in end["lines"]] == ["green", "missing"]
            assert await process.wait() == 1
