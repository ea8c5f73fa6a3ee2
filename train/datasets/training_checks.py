"""What clips must fulfil to be trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from stream.errors import ConfigError
from train.datasets.audio_files import AudioFileDataset, refuse_validation
from train.datasets.clips import SPLITS, Clip, Dataset, Split


def require_trainable(dataset: Dataset) -> Dataset:
    """Check that a data set may be trained on, and that it can be.

    Returns
    -------
    Dataset
        The same one.

    Raises
    ------
    ConfigError
        When a clip is for validation only, or a label has no clip to train or to validate with.
    """
    refuse_validation(dataset.clips)
    if not isinstance(dataset, AudioFileDataset) or dataset.seed is None:  # else it is not known yet what can be used
        require_clips(dataset.labels, dataset.clips)
    return dataset


def require_clips(labels: Sequence[str], clips: Sequence[Clip], splits: Sequence[Split] = SPLITS[:2]) -> None:
    """Require clips of every label in every one of some splits, or raise ConfigError that names what lacks."""
    counts = Counter((clip.split, clip.label) for clip in clips)
    lacking = [f"{label} ({split})" for split in splits for label in labels if not counts[split, label]]
    if lacking:
        recordings = Counter(label for label, _ in {(clip.label, clip.recording) for clip in clips})
        few = [f"{label} has {recordings[label] or 'none'}" for label in labels if recordings[label] < len(splits)]
        told = f"; of those that can be used, {', '.join(few)}" if few else ""
        raise ConfigError(
            f"no clips of {', '.join(lacking)}: every label needs recordings to train and to validate{told}"
        )
