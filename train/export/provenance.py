"""Where a model comes from: the clips and recordings that it was trained on, with licences, and the command."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from train.compose.pack import Recording, fingerprint, read_pack, split_by_source
from train.datasets.clips import SPLITS, Clip, Dataset
from train.datasets.corpus import Corpora
from train.evaluation.real_clips import original_pack
from train.export.public_paths import settings_without_folders, without_folders
from train.fitting.training_run import TrainingRun


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a model was learned from, and how."""

    dataset: str
    """Name of the data set."""
    digest: str
    """Of everything that determines the training clips."""
    clips: Sequence[Clip]
    """All clips that were used, of all splits."""
    seed: int
    command: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Variant, schedule and the like, as json takes them."""
    ingredients: Sequence[Recording] = ()
    """What the training clips were composed of; empty where they were cut from recordings."""
    held_out: Collection[tuple[str, str]] = ()
    """Instruments and sources that no composed training clip contains."""
    pack_digest: str = ""
    """Of the recordings that clips were composed of: their rows and sizes. Empty where they were not."""

    def counts(self) -> dict[str, dict[str, dict[str, int]]]:
        """Clips and recordings of each split and label."""
        found: dict[str, dict[str, list[Clip]]] = {split: defaultdict(list) for split in SPLITS}
        for clip in self.clips:
            found[clip.split][clip.label].append(clip)
        return {
            split: {
                label: {"clips": len(clips), "recordings": len({clip.recording for clip in clips})}
                for label, clips in sorted(labels.items())
            }
            for split, labels in found.items()
            if labels
        }

    def sources(self) -> list[dict[str, Any]]:
        """Sum up by source and licence what was trained on: ingredients where there are any, else training clips."""
        if self.ingredients:
            unit = "files"
            rows = [(row.source, row.licence, row.instrument) for row in self.ingredients]
        else:
            unit = "clips"
            rows = [(clip.source, clip.licence, clip.label) for clip in self.clips if clip.split == "training"]
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        for source, licence, instrument in rows:
            found[source, licence].append(instrument)
        return [
            {"source": source, "licence": licence, unit: len(names), "instruments": sorted(set(names))}
            for (source, licence), names in sorted(found.items())
        ]


def provenance_of(run: TrainingRun, dataset: Dataset, corpora: Corpora) -> Provenance:
    """Say where the model of a run comes from: its data set, and the clips of it that could be read."""
    composed = run.data.kind == "composed"
    rows = split_by_source(read_pack(run.data.path), three_way=bool(run.data.test_clips)) if composed else {}
    if run.data.all_sources:
        rows = {"training": [row for side in rows.values() for row in side]}
    source = original_pack(run.data.path)
    return Provenance(
        dataset=dataset.name
        if source == run.data.path
        else f"clips composed of {source.resolve().name} and of notes rendered from sound fonts",
        digest=corpora["training"].digest,
        clips=[clip for corpus in corpora.values() for clip in corpus.clips],
        seed=run.data.seed,
        command=without_folders(run.command),
        settings=settings_without_folders(recorded_settings(run)),
        ingredients=rows.get("training", ()),
        held_out={(row.instrument, row.source) for side in ("validation", "test") for row in rows.get(side, ())},
        pack_digest=fingerprint(source, read_pack(source)) if composed else "",
    )


def recorded_settings(run: TrainingRun) -> dict[str, Any]:
    """List the settings of a run, and of which pack its own was made with rendered notes."""
    source = original_pack(run.data.path)
    if source == run.data.path:
        return run.settings
    return {**run.settings, "data": {**run.settings["data"], "rendered_from": str(source)}}
