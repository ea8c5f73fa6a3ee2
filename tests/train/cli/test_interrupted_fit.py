"""A run of the command that is killed goes on where it was."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
pytest.importorskip("pedalboard", reason="needs the train extra")

from train.fitting.schedule import Schedule

# Training processes on all cores: several such tests at a time would only wait for each other.
pytestmark = [pytest.mark.xdist_group("training processes")]

QUICK = Schedule(epochs=3, batch=8, augmented=False)


async def test_killed_run_ends_with_the_same_model(tone_folder: Path, tmp_path: Path) -> None:
    """Kill -9 in the middle of fitting costs an epoch at most: the next run continues to the same bytes."""
    command = [
        *(
            sys.executable,
            "-m",
            "stream",
            "train",
            "fit",
            "--data",
            str(tone_folder),
            "--cache",
            str(tmp_path / "cache"),
        ),
        *("--name", "tones", "--processes", "1", "--network", "2B", "--epochs", "5", "--batch", "4", "--out"),
    ]
    quiet = {"stdout": asyncio.subprocess.DEVNULL, "stderr": asyncio.subprocess.PIPE}
    victim = await asyncio.create_subprocess_exec(*command, str(tmp_path / "killed"), start_new_session=True, **quiet)
    assert victim.stderr is not None
    async with asyncio.timeout(120):
        async for line in victim.stderr:
            if b"epoch 2:" in line:
                break
    os.killpg(victim.pid, signal.SIGKILL)
    await victim.wait()
    assert not (tmp_path / "killed" / "tones.tflite").exists()

    async with asyncio.timeout(240):
        again = await asyncio.create_subprocess_exec(*command, str(tmp_path / "killed"), **quiet)
        said = (await again.communicate())[1].decode()
        whole = await asyncio.create_subprocess_exec(*command, str(tmp_path / "whole"), **quiet)
        await whole.communicate()
    assert again.returncode == whole.returncode == 0, said
    assert "continuing after epoch" in said
    killed, undisturbed = (tmp_path / name / "tones.tflite" for name in ("killed", "whole"))
    assert killed.read_bytes() == undisturbed.read_bytes()
    histories = [json.loads((tmp_path / name / "tones" / "history.json").read_text()) for name in ("killed", "whole")]
    for history in histories:
        for entry in history:
            del entry["seconds"]
    assert histories[0] == histories[1]
