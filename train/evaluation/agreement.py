"""How far the int8 model, as it is served, agrees with the float network that it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stream.errors import ConfigError
from train.datasets.clips import Clip
from train.evaluation.clip_predictions import ClipPredictions

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A clip for which the two models have different favourites."""

    clip: Clip
    served: str
    """Most probable label of the int8 model."""
    served_probability: float
    original: str
    """Most probable label of the float network."""
    original_probability: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """What quantisation changed."""

    clips: int
    """Clips that were compared: those that are neither silent nor unreadable."""
    equal: int
    """Clips with the same most probable label."""
    mean_difference: float
    """Mean over clips and labels of how far the probabilities are apart."""
    largest_difference: float
    disagreements: tuple[Disagreement, ...]
    """All of them, the surest first."""

    @property
    def share(self) -> float:
        """Share of the clips with the same most probable label; 1 without clips."""
        return self.equal / self.clips if self.clips else 1.0

    def figures(self) -> dict[str, Any]:
        """Plain numbers, and every disagreement, as json takes them."""
        return {
            "clips": self.clips,
            "equal": self.equal,
            "share": round(self.share, 5),
            "mean_difference": round(self.mean_difference, 5),
            "largest_difference": round(self.largest_difference, 4),
            "disagreements": [
                {
                    "clip": str(row.clip),
                    "label": row.clip.label,
                    "int8": row.served,
                    "int8_probability": round(row.served_probability, 4),
                    "float": row.original,
                    "float_probability": round(row.original_probability, 4),
                }
                for row in self.disagreements
            ],
        }

    def table(self) -> str:
        """Markdown: the figures, and every disagreement."""
        lines = [
            f"The int8 model, through the service's recognizer, and the float network agree on {self.equal} of "
            f"{self.clips} clips ({100 * self.share:.2f} %). Their probabilities are {self.mean_difference:.4f} apart "
            f"on average, {self.largest_difference:.3f} at most."
        ]
        if self.disagreements:
            lines += ["", "| clip | label | int8 | | float | |", "| --- | --- | --- | ---: | --- | ---: |"]
        for row in self.disagreements:
            clip = str(row.clip).replace("|", "\\|")
            lines.append(
                f"| {clip} | {row.clip.label} | {row.served} | {row.served_probability:.3f} "
                f"| {row.original} | {row.original_probability:.3f} |"
            )
        return "\n".join(lines)


def measure_agreement(
    predictions: ClipPredictions, clips: Sequence[Clip], original: Floats, labels: Sequence[str]
) -> Agreement:
    """Compare what the service says of clips with what the float network does.

    Parameters
    ----------
    predictions : ClipPredictions
        What the service says; its silent clips are left out, since no model judged them.
    clips : sequence of Clip
        Clips that the float network judged; those that are in both are compared.
    original : np.ndarray [shape=(len(clips), len(labels))]
        The float network's probabilities: the softmax of its logits divided by the bundle's temperature.
    labels : sequence of str
        The float network's labels.

    Returns
    -------
    Agreement

    Raises
    ------
    ConfigError
        When the two do not have the same labels in the same order.
    """
    if tuple(labels) != predictions.labels:
        raise ConfigError(
            f"the bundle's labels are {', '.join(predictions.labels)}; those of the network are {', '.join(labels)}"
        )
    rows = {clip: row for row, clip in enumerate(clips)}
    pairs = [
        (place, rows[clip])
        for place, clip in enumerate(predictions.clips)
        if clip in rows and not predictions.silent[place]
    ]
    ours = predictions.probabilities[[place for place, _ in pairs]]
    theirs = np.asarray(original, np.float64)[[row for _, row in pairs]]
    difference = np.abs(ours - theirs)
    chosen, expected = ours.argmax(axis=1), theirs.argmax(axis=1)
    found = [
        Disagreement(
            predictions.clips[pairs[at][0]],
            labels[chosen[at]],
            float(ours[at, chosen[at]]),
            labels[expected[at]],
            float(theirs[at, expected[at]]),
        )
        for at in np.flatnonzero(chosen != expected)
    ]
    found.sort(key=lambda row: -max(row.served_probability, row.original_probability))
    return Agreement(
        clips=len(pairs),
        equal=int(np.sum(chosen == expected)),
        mean_difference=float(difference.mean()) if pairs else 0.0,
        largest_difference=float(difference.max()) if pairs else 0.0,
        disagreements=tuple(found),
    )
