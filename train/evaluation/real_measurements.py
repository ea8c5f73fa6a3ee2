"""All that is measured of a bundle on real recordings, for its json and its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream.recognition.bundle import Bundle
from train.compose.real_rows import ROWS
from train.compose.real_windows import RealWindows
from train.compose.unheard import render_unheard
from train.evaluation.class_table import ClassResult, score_classes
from train.evaluation.clip_evaluation import evaluate_clips
from train.evaluation.clip_result import ClipResult
from train.evaluation.embedding_trial import Embed, EmbeddingResult, try_embedding
from train.evaluation.embeddings import bundle_embedding
from train.evaluation.lineups import lineup_of
from train.evaluation.peers import Peer, PeerResult, hear_with, score_peer
from train.evaluation.programme_result import ProgrammeResult
from train.evaluation.real_clips import original_pack
from train.evaluation.real_evaluation import evaluate_held_out
from train.evaluation.rejection import Rejection, acceptance_thresholds, count_rejections
from train.evaluation.row_result import RowResult


@dataclass(frozen=True, slots=True)
class RealMeasurements:
    """What real recordings tell of a bundle."""

    windows: ClipResult
    """Windows of held-out recordings, as names of the line-up."""
    classes: ClassResult
    """The same, by all labels."""
    rejections: tuple[Rejection, ...]
    programmes: tuple[ProgrammeResult, ...]
    rows: tuple[RowResult, ...]
    """Of real recordings in a row, like `programmes`."""
    remarks: tuple[str, ...]
    """What these are of."""
    embeddings: tuple[EmbeddingResult, ...]
    """Empty where they were not asked for."""
    peers: tuple[PeerResult, ...]
    """The bundle first, on the windows."""

    def figures(self) -> dict[str, Any]:
        """Plain numbers, as json takes them."""
        return {
            self.windows.name: self.windows.figures(),
            f"{self.windows.name}, all classes": self.classes.figures(),
            f"{self.windows.name}, rejection": [rejection.figures() for rejection in self.rejections],
            "programmes of real recordings": {timing.name: timing.figures() for timing in self.programmes},
            "rows": {row.name: row.figures() for row in self.rows},
            **({"embedding": {each.name: each.figures() for each in self.embeddings}} if self.embeddings else {}),
            "peers": {peer.name: peer.figures() for peer in self.peers},
        }


def measure_on_real(
    bundle: Bundle,
    data: Path,
    cache: Path,
    processes: int = 1,
    *,
    rows: int = ROWS,
    beside: Sequence[Bundle] = (),
    peers: Mapping[str, Peer] | None = None,
    embeddings: Mapping[str, Embed] | None = None,
) -> RealMeasurements:
    """Measure a bundle on all real recordings that no model learns from.

    Parameters
    ----------
    bundle : Bundle
    data : Path
        The pack, or one that was made of it.
    cache : Path
        Where looks are logged, and rows and renderings kept.
    processes : int
    rows : int
        Of held-out recordings.
    beside : sequence of Bundle
        Other models on the same windows.
    peers : mapping of str to callable, optional
        Networks of others by name, of `train.evaluation.peers`.
    embeddings : mapping of str to callable, optional
        Others to be tried beside the bundle's on unheard instruments, which are rendered for that; none is by default.
    """
    pack = original_pack(data)
    windows = RealWindows(pack)
    result, predicted = evaluate_clips("held-out recordings", bundle, windows, windows.clips, processes)
    thresholds = acceptance_thresholds(bundle, predicted)
    scored = [score_peer(bundle.name, predicted, lineup_of(bundle))]
    for other in beside:
        heard = evaluate_clips(other.name, other, windows, windows.clips, processes)[1]
        scored.append(score_peer(other.name, heard, lineup_of(other)))
    for name, peer in (peers or {}).items():
        scored.append(score_peer(name, hear_with(peer, windows, windows.clips)))
    timing, row, remark = evaluate_held_out(bundle, data, cache, rows, processes)
    tried = {} if embeddings is None else dict([bundle_embedding(bundle)]) | dict(embeddings)
    renderings = render_unheard(cache) if tried else []
    return RealMeasurements(
        result,
        score_classes(result.name, predicted),
        tuple(count_rejections(result.name, bundle, predicted, thresholds) if thresholds else ()),
        (timing,),
        (row,),
        (remark,),
        tuple(try_embedding(name, embed, renderings) for name, embed in tried.items()),
        tuple(scored),
    )
