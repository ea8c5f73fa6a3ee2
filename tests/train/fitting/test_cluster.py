"""Training on several machines: two workers on this one are a cluster like any other."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
pytest.importorskip("pedalboard", reason="needs the train extra")

from tests.support.tensorflow_warnings import ignore_tensorflow_warnings
from train.datasets.corpus import Extraction
from train.fitting.fit import fit
from train.fitting.training_run import TrainingRun

# Training processes on all cores: several such tests at a time would only wait for each other. And ports that were free
# a moment ago.
pytestmark = [pytest.mark.xdist_group("training processes"), ignore_tensorflow_warnings]


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


async def work(out: Path, data: Path, cache: Path, variant: str, tf_config: str) -> list[str]:
    """Run `soloist train fit` as a worker, and return what it said of each epoch."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stream", "train", "fit", "--data", str(data), "--cache", str(cache)),
        *("--out", str(out), "--name", "tones", "--variant", variant, "--plain", "--batch", "8", "--epochs", "2"),
        *("--processes", "1", "--distribute"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"TF_CONFIG": tf_config},
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0, said
    return [line[line.index(": loss") :] for line in said.splitlines() if ": loss" in line]


# Batch normalization sees half of each batch on either worker, so what it learns is near, not equal.
@pytest.mark.parametrize(("variant", "near"), [("0a", 1e-3), ("1", 0.15)])
async def test_two_workers_learn_what_one_does(
    variant: str, near: float, tone_folder: Path, tone_cache: Path, tone_features: Extraction, tmp_path: Path
) -> None:
    """Two workers that share every batch learn like one that has it all, agree, and the chief alone writes."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    configs = [json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}}) for index in range(2)]
    async with asyncio.timeout(240):
        said = await asyncio.gather(
            *(
                work(tmp_path / f"worker{index}", tone_folder, tone_cache, variant, config)
                for index, config in enumerate(configs)
            )
        )
    assert said[0] == said[1]
    assert len(said[0]) == 2
    assert not (tmp_path / "worker1").exists()
    assert (tmp_path / "worker0" / "tones.tflite").exists()
    together = json.loads((tmp_path / "worker0" / "tones" / "history.json").read_text())
    run, corpora = TrainingRun.load(tmp_path / "worker0" / "tones"), tone_features.corpora
    # This one needs no process of its own, which would load TensorFlow again, and no bundle.
    alone = fit(run.variant, corpora["training"], corpora["validation"], run.schedule, channels=run.channels).history
    for one, other in zip(alone, together, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], abs=near)
