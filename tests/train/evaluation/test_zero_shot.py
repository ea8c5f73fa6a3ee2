"""What peers that know AudioSet say of our labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stream.errors import ModelError
from train.datasets.labels import ALL_LABELS, INSTRUMENTS
from train.evaluation.zero_shot import CLASSES, Yamnet, zero_shot_probabilities

NAMES = sorted({name for names in CLASSES.values() for name in names})
WEIGHTS = Path(__file__).parents[3] / "../shared/pretrained/mn04_as.npz"


def test_labels_get_the_share_of_their_most_probable_class() -> None:
    """One class of several is enough; what AudioSet does not know gets nothing; and the rows sum to 1."""
    logits = np.full((2, len(NAMES)), -12.0)
    logits[0, NAMES.index("Electric piano")] = 2
    logits[1, [NAMES.index("Violin, fiddle"), NAMES.index("Cello")]] = 1, 0
    shares = zero_shot_probabilities(logits, NAMES)
    assert [ALL_LABELS[row.argmax()] for row in shares] == ["piano", "violin"]
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert shares[:, ALL_LABELS.index("viola")].max() == 0
    assert shares[1, ALL_LABELS.index("cello")] > 0.35
    assert set(INSTRUMENTS) <= set(CLASSES) <= set(ALL_LABELS)


def test_published_classes_have_these_names() -> None:
    """Every name of the table is one of AudioSet's."""
    if not WEIGHTS.exists():
        pytest.skip("needs the pretrained weights in ../shared/pretrained")
    assert set(NAMES) <= set(WEIGHTS.with_name("audioset_labels.txt").read_text("utf-8").splitlines())


def test_a_file_that_is_no_yamnet_is_told(tmp_path: Path) -> None:
    """It is named, whatever is wrong with it."""
    path = tmp_path / "yamnet.tflite"
    with pytest.raises(ModelError, match=r"yamnet\.tflite"):
        Yamnet(path)
    path.write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"yamnet\.tflite"):
        Yamnet(path)
