"""The bank that comes with a model."""

from __future__ import annotations

from pathlib import Path

from stream.players.bank import load_bank
from stream.recognition import bundle
from tests.support import tiny
from tests.support.synthetic_pack import write_pack
from train.__main__ import main
from train.compose.pack import HELD_OUT_SOURCES


def test_a_bank_is_made_of_what_models_are_trained_on_alone(tmp_path: Path) -> None:
    """It lies beside the model and belongs to it, and no source that is held out is in it."""
    write_pack(tmp_path / "pack")
    model = tiny.copied(tmp_path)
    arguments = ["--data", str(tmp_path / "pack"), "--model", str(model), "--out", str(tmp_path), "--composed", "8"]
    assert main(["bank", *arguments, "--cache", str(tmp_path / "cache"), "--processes", "1"]) == 0
    bank = load_bank(bundle.load(model))
    assert {"piano", "violin", "flute"} <= set(bank.labels)
    assert "toy" in bank.sources
    held_out = {source for _, source in HELD_OUT_SOURCES}
    assert not any(source.rpartition("/")[2] in held_out for source in bank.sources)
