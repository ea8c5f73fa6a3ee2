"""Measuring a bundle on real recordings in a row: of held-out sources and songs, and the real validation clips."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from stream.recognition.bundle import Bundle
from train.compose.clip_programmes import ClipProgrammes
from train.compose.real_rows import RealRows
from train.evaluation.heard_rows import hear_rows
from train.evaluation.lineups import lineup_of
from train.evaluation.programme_evaluation import score_programmes
from train.evaluation.programme_predictions import predict_programmes
from train.evaluation.programme_result import ProgrammeResult
from train.evaluation.real_clips import describe_looks, log_look, open_real_clips, original_pack
from train.evaluation.row_evaluation import score_rows
from train.evaluation.row_result import RowResult

REAL_CLIP_ORDERS: Final = 3
"""Orders of the validation clips in a row, each a programme of all of them."""


def evaluate_validation(
    bundle: Bundle, data: Path, cache: Path, processes: int = 1, seed: int = 0
) -> tuple[ProgrammeResult, RowResult, str]:
    """Let the recognizer follow the real validation clips in a row: a look at them, which is logged.

    Parameters
    ----------
    bundle : Bundle
    data : Path
        The pack.
    cache : Path
        Where looks are logged.
    processes, seed : int

    Returns
    -------
    timing : ProgrammeResult
    rows : RowResult
    remark : str
        What the clips are, and how often they were looked at.
    """
    clips = open_real_clips(data)
    looks = log_look(cache, bundle.name)
    programmes = ClipProgrammes(clips, tuple(clips.clips), seed)
    heard = predict_programmes(bundle, programmes, REAL_CLIP_ORDERS, len(clips.labels), processes)
    name = "real clips in a row"
    return score_programmes(name, *heard), score_rows(name, heard[0]), describe_looks(looks)


def evaluate_held_out(
    bundle: Bundle, data: Path, cache: Path, rows: int, processes: int = 1
) -> tuple[ProgrammeResult, RowResult, str]:
    """Let the recognizer follow rows of held-out recordings; parameters and result as for `evaluate_validation`.

    Parameters
    ----------
    rows : int
        How many.
    """
    made = RealRows(original_pack(data), named=lineup_of(bundle))
    heard = hear_rows(bundle, made, rows, processes, cache)
    name = "held-out recordings in a row"
    players = [player for players in made.players.values() for player in players]
    others = [player for players in made.others.values() for player in players]
    remark = (
        f"The rows of held-out recordings are played by {len(players)} players, instruments and songs, and "
        f"{len(others)} others, all of them real recordings that no model with held-out sources learns from."
    )
    if learned_from_all(bundle):
        remark += f" {bundle.name} learned from all sources: only the songs are new to it."
    return score_programmes(name, heard), score_rows(name, heard), remark


def learned_from_all(bundle: Bundle) -> bool:
    """Whether a bundle was made of all sources, the held-out ones too."""
    settings = bundle.info.get("training", {}).get("settings", {})
    return bool(settings.get("data", {}).get("all_sources"))
