"""Networks of others on the same clips: their classes, and how they are scored."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pedalboard", reason="needs the train extra")
pytest.importorskip("tensorflow", reason="needs the train extra")

from stream.errors import ConfigError
from stream.recognition.mel import WINDOW
from tests.support.tensorflow_warnings import ignore_tensorflow_warnings
from train.datasets.clips import Clip
from train.datasets.labels import INSTRUMENTS
from train.evaluation.clip_predictions import ClipPredictions
from train.evaluation.peers import AUDIOSET, peer_table, score_peer, yamnet
from train.evaluation.rejection import LINEUP, MOST_PROBABLE

pytestmark = ignore_tensorflow_warnings

CLASSES = [*(name for names in AUDIOSET.values() for name in names), "Cello"]


def write_network(path: Path, classes: int) -> None:
    """Write a network of waveforms that finds a flute in what is loud, and a trumpet in what is not."""
    import tensorflow as tf

    flute, trumpet = (np.eye(classes, dtype=np.float32)[CLASSES.index(name)] for name in ("Flute", "Trumpet"))

    @tf.function(input_signature=[tf.TensorSpec((15600,), tf.float32)])
    def scores(waveform: tf.Tensor) -> tf.Tensor:
        loud = tf.clip_by_value(tf.reduce_mean(tf.abs(waveform)), 0.0, 1.0)
        return (loud * flute + (1 - loud) * trumpet)[None]

    converter = tf.lite.TFLiteConverter.from_concrete_functions([scores.get_concrete_function()])
    path.write_bytes(converter.convert())


@pytest.mark.slow
def test_yamnet_is_heard_window_by_window_by_its_classes(tmp_path: Path) -> None:
    """Names are read from the file itself or from beside it; without any the error says what to do."""
    path = tmp_path / "yamnet.tflite"
    write_network(path, len(CLASSES))
    with pytest.raises(ConfigError, match=r"has no names of its classes inside; put yamnet_class_map\.csv"):
        yamnet(path)
    (tmp_path / "yamnet_class_map.csv").write_text(
        "index,mid,display_name\n" + "\n".join(f'{at},/m/{at},"{name}"' for at, name in enumerate(CLASSES)) + "\n"
    )
    loud = np.full(WINDOW, 0.9, np.float32)
    beside = yamnet(path)
    (tmp_path / "yamnet_class_map.csv").unlink()
    with zipfile.ZipFile(path, "a") as packed:  # as TFLite's metadata has files in it
        packed.writestr("yamnet_label_list.txt", "\n".join(CLASSES) + "\n")
    for hear in (beside, yamnet(path)):
        assert INSTRUMENTS[int(hear(loud).argmax())] == "flute"
        assert INSTRUMENTS[int(hear(0.1 * loud).argmax())] == "trumpet"
    (tmp_path / "other.tflite").write_bytes(b"no model")
    with pytest.raises(ConfigError, match="is no TFLite model"):
        yamnet(tmp_path / "other.tflite")


def test_peers_are_scored_alike() -> None:
    """Class average and worst class of the eight, and what a threshold rejects that 9 in 10 of them pass."""
    rows = np.full((5, len(INSTRUMENTS)), 0.01)
    labels = ("flute", "flute", "violin", "cello", "crowd")
    for at, (name, score) in enumerate(
        (("flute", 0.9), ("violin", 0.5), ("violin", 0.6), ("violin", 0.55), ("flute", 0.2))
    ):
        rows[at, INSTRUMENTS.index(name)] = score
    clips = tuple(Clip(label, label, "test", "", "", None, at) for at, label in enumerate(labels))
    result = score_peer("somebody", ClipPredictions(INSTRUMENTS, clips, rows, np.zeros(5, bool), ()))
    assert (result.right, result.solos, result.unknown) == (2, 3, 2)
    assert result.average == 0.75
    assert result.worst == "flute, 50.0 % of 2"
    assert result.rejected == {MOST_PROBABLE: 1, LINEUP: 1}
    assert "| somebody | 75.0 % (2 of 3) | flute, 50.0 % of 2 | 50.0 % (1 of 2) |" in peer_table("clips", [result])
