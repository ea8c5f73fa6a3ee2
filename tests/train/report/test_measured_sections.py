"""What a card tells of all classes, rows, embedding, peers and forms, and of a model of format 2."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
pytest.importorskip("mir_eval", reason="needs the train extra")
pytest.importorskip("pedalboard", reason="needs the train extra")

from stream.recognition import bundle as bundles
from stream.recognition.bundle import Outputs
from tests.support.tensorflow_warnings import ignore_tensorflow_warnings
from train.datasets.clips import Clip
from train.evaluation.class_table import score_classes
from train.evaluation.clip_predictions import ClipPredictions
from train.evaluation.embedding_trial import EmbeddingResult
from train.evaluation.peers import PeerResult
from train.evaluation.rejection import LINEUP, MOST_PROBABLE
from train.evaluation.row_result import OfNone, OfPlayers, RowResult
from train.export.provenance import Provenance
from train.report.measured_sections import (
    ModelForm,
    classes_section,
    embedding_section,
    forms_section,
    peers_section,
    rows_section,
)
from train.report.model_card import model_card

pytestmark = ignore_tensorflow_warnings


def test_card_has_a_section_for_each_thing_measured() -> None:
    """A card of a model that knows more than it names tells both, its front end, and what was measured."""
    clips = tuple(Clip(label, label, "test", "", "", None, 0) for label in ("flute", "cello"))
    heard = ClipPredictions(("flute", "cello"), clips, np.array([[0.9, 0.1], [0.6, 0.4]]), np.zeros(2, bool), ())
    row = RowResult(
        "rows", 1, 60.0, (0.5, 6.0), 3, 1, (("flute", OfPlayers(2, 0, 10.0, 8.0)),), (("cello", OfNone(30.0, 3.0, ())),)
    )
    embedding = EmbeddingResult("lead", ("harp",), (20,), (0.9,), (15,))
    peers = [
        PeerResult(name, 1, 2, 0.5, "flute, 0.0 % of 1", {MOST_PROBABLE: 3, LINEUP: 4}, 8)
        for name in ("lead", "YAMNet")
    ]
    forms = [ModelForm("int8", 1_048_576, 0.98, "the last lead", 21_300_000, 0.955, 104, 0.99)]
    sections = [
        classes_section([score_classes("held-out recordings", heard)], ("flute",)),
        rows_section([row], ["Nobody learned from them."]),
        embedding_section([embedding]),
        peers_section("held-out recordings", peers),
        forms_section(forms),
        rows_section([]),
    ]
    shipped = bundles.load("published")
    two = replace(
        shipped, lineup=shipped.instruments[:3], known=0.45, outputs=Outputs("logits", None, "place"), tags=()
    )
    provenance = Provenance("clips composed of pack", "d1ce", clips, 0, "soloist train fit", pack_digest="0ff1ce")
    card = model_card(two, provenance, [], network="n", parameters=1, form="float", sections=sections)
    assert "which of 3 solo instruments (clarinet, distorted electric guitar, female singer)" in card
    assert "Beyond these it knows flute, " in card
    assert "It has the further outputs embedding." in card
    assert "must sum to 0.45 for any of it to be named" in card
    assert "1 weights, float, " in card
    assert "| cello | 1 | 1 | 0.0 % (0) | - | flute 1 |" in card
    assert "| right 2 s after a change on | 80.0 % |" in card
    assert "Nobody learned from them." in card
    assert "| harp | 90.0 % (15 of 20) |" in card
    assert "| YAMNet | 50.0 % (1 of 2) | flute, 0.0 % of 1 | 37.5 % (3 of 8) | 50.0 % (4 of 8) |" in card
    assert "| int8 | 1024 KiB | 0.98 | 21.3 M | 95.5 % of 104 clips | 99.0 % |" in card
    assert "`0ff1ce`" in card
