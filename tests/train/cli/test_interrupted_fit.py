"""A run of the command that is killed goes on where it was."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
pytest.importorskip("pedalboard", reason="needs the train extra")

from tests.support.tensorflow_warnings import ignore_tensorflow_warnings
from train.__main__ import main

# Training processes on all cores: several such tests at a time would only wait for each other.
pytestmark = [pytest.mark.xdist_group("training processes"), ignore_tensorflow_warnings]


def test_killed_run_ends_with_the_same_model(tone_folder: Path, tone_cache: Path, tmp_path: Path, caplog) -> None:
    """Kill -9 in the middle of fitting costs an epoch at most: the next run continues to the same bytes."""
    flags = f"--data {tone_folder} --cache {tone_cache} --name tones --processes 1 --network 2B --epochs 5 --batch 4"
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    command = [sys.executable, "-m", "stream", "train", "fit", *flags.split(), "--out", str(killed)]
    victim = subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    with victim:
        assert victim.stderr is not None
        said = ""
        for line in victim.stderr:
            said += line
            if "epoch 2:" in line:
                break
        os.killpg(victim.pid, signal.SIGKILL)
    assert "epoch 2:" in said
    assert not (killed / "tones.tflite").exists()

    # These two need no process of their own, which would load TensorFlow again.
    caplog.set_level(logging.INFO)
    assert main(["fit", *flags.split(), "--out", str(killed)]) == 0
    assert "continuing after epoch" in caplog.text
    assert main(["fit", *flags.split(), "--out", str(whole)]) == 0
    assert (killed / "tones.tflite").read_bytes() == (whole / "tones.tflite").read_bytes()
    histories = [json.loads((folder / "tones" / "history.json").read_text()) for folder in (killed, whole)]
    for history in histories:
        for entry in history:
            del entry["seconds"]
    assert histories[0] == histories[1]
