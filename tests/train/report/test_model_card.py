"""What a card tells of a model: of its own data set, or of composed clips."""

from __future__ import annotations

import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")

from tests.support.tensorflow_warnings import ignore_tensorflow_warnings
from tests.support.tone_dataset import HERTZ, ToneDataset
from tests.support.trained_model import TrainedModel
from train.compose.pack import Recording
from train.datasets.clips import Clip
from train.evaluation import clip_evaluation
from train.evaluation.clip_predictions import predict_clips
from train.evaluation.clip_result import clip_table
from train.evaluation.real_clips import describe_looks
from train.export.provenance import Provenance
from train.report.model_card import CardText, model_card
from train.report.run_description import COMPOSED

# One process for all: the model of the tones is trained once.
pytestmark = [ignore_tensorflow_warnings, pytest.mark.xdist_group("trained model")]

INSTRUMENTS = tuple(HERTZ)


def held_out(dataset: ToneDataset) -> list[Clip]:
    """The clips of the test split."""
    return [clip for clip in dataset.clips if clip.split == "test"]


def test_card_tells_what_is_true_of_its_data_set(trained: TrainedModel) -> None:
    """The card of another data set has its labels, splits and sources, and nothing of the pack's story."""
    heard = predict_clips(trained.bundle, trained.dataset, held_out(trained.dataset))
    result = clip_evaluation.score_predictions("test", trained.bundle, heard)
    provenance = Provenance("tones", "d1ce", trained.dataset.clips, 0, "soloist train fit --data tones")
    text = model_card(
        trained.bundle, provenance, [result], network="one convolution", parameters=1, text=CardText("Synthesized.")
    )
    assert "which of 3 solo instruments (bass <b>, horn & hum, whistle) is in front, or that none of them is," in text
    assert "`soloist train fit --data tones`" in text
    assert "| test | whistle | 8 | 4 |" in text
    assert "| synth\\|training | CC0 | 32 |" in text
    assert clip_table(result) in text
    assert "Medley" not in text
    assert "accompaniment" not in text


def test_card_of_composed_clips_tells_the_recordings(trained: TrainedModel) -> None:
    """The card of the pack's model lists the recordings it was composed of, what is held out, and the looks."""
    row = Recording("training/a.ogg", "flute", "somebody", None, 1.0, "CC BY 4.0")
    provenance = Provenance(
        "pack", "d1ce", trained.dataset.clips, 0, "", ingredients=(row, row), held_out={("flute", "another")}
    )
    text = model_card(
        trained.bundle,
        provenance,
        [],
        network="",
        parameters=1,
        text=CardText(COMPOSED),
        remarks=[describe_looks(1), describe_looks(9)],
    )
    assert "| somebody | CC BY 4.0 | 2 | flute |" in text
    assert "Held out (instrument: source): flute: another." in text
    assert "looked at once while" in text
    assert "looked at 9 times" in text
