"""Which data set to use and how much of it: what the command line is told, and what a run remembers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from stream.errors import ConfigError
from train.datasets.audio_files import AudioFileDataset
from train.datasets.clips import Dataset
from train.datasets.folder import read_folder
from train.datasets.labels import INSTRUMENTS, read_label
from train.datasets.manifest import read_manifest
from train.datasets.medley import Division, read_medley


@dataclass(frozen=True, slots=True)
class DataSettings:
    """A choice of data.

    What a path is shows: a .csv is a manifest; a folder with `annotation/Medley-solos-DB_metadata.csv` is that data
    set; one with `training.csv` is a pack of notes and noises to compose clips of; any other has a folder per class.
    """

    path: Path
    instruments: tuple[str, ...] = ()
    """Labels to take; all where empty."""
    unknown: bool = False
    """Whether composed clips have the label `unknown` besides."""
    division: Division = "official"
    """Of Medley-solos-DB; see `train.datasets.medley.read_medley`."""
    balanced: bool = False
    """Whether to take as many clips of every instrument, of Medley-solos-DB."""
    cap: int | None = None
    """Most clips of an instrument in a split, of Medley-solos-DB."""
    clips: int = 30_000
    """Clips to compose for training."""
    validation_clips: int = 2_400
    test_clips: int = 0
    seed: int = 0
    """Of composed clips, and of divisions."""
    all_sources: bool = False
    """Whether training clips are composed of the held-out sources, too."""

    @property
    def kind(self) -> str:
        """What the path is: manifest, medley, composed or folder."""
        if self.path.suffix == ".csv":
            return "manifest"
        if (self.path / "annotation" / "Medley-solos-DB_metadata.csv").exists():
            return "medley"
        return "composed" if (self.path / "training.csv").exists() else "folder"

    def open(self, cache: Path) -> Dataset:
        """Open the data set.

        Parameters
        ----------
        cache : Path
            Folder for the decoded recordings that clips are composed of.

        Raises
        ------
        SourceError
            When there is nothing at the path, or it cannot be read.
        ConfigError
            When the choice and what is there do not go together.
        """
        if not self.path.exists():
            raise ConfigError(f"no data at {self.path}: expected a folder, or a manifest in CSV")
        if self.kind == "composed":
            from train.compose.composed_clips import ComposedClips  # only here: it needs the packages of `study`

            return ComposedClips(
                self.path,
                cache,
                instruments=self.instruments or INSTRUMENTS,
                unknown=self.unknown,
                training=self.clips,
                validation=self.validation_clips,
                test=self.test_clips,
                seed=self.seed,
                all_sources=self.all_sources,
            )
        if self.kind == "medley":
            return read_medley(
                self.path,
                self.instruments or INSTRUMENTS,
                division=self.division,
                cap=self.cap,
                balanced=self.balanced,
                seed=self.seed,
            )
        if self.kind == "manifest":
            return read_manifest(self.path, instruments=self.instruments or None, seed=self.seed)
        return _with_labels(read_folder(self.path, seed=self.seed), self.instruments)

    def record(self) -> dict[str, Any]:
        """Return the choice as json takes it; `DataSettings.recall` undoes it."""
        return {**asdict(self), "path": str(self.path), "instruments": list(self.instruments)}

    @classmethod
    def recall(cls, record: dict[str, Any]) -> DataSettings:
        """Make the choice again that `record` wrote down."""
        return cls(**{**record, "path": Path(record["path"]), "instruments": tuple(record["instruments"])})

    def of(self, instruments: Sequence[str]) -> DataSettings:
        """Return the same choice with other labels."""
        return replace(self, instruments=tuple(instruments))


def _with_labels(files: AudioFileDataset, labels: Sequence[str]) -> AudioFileDataset:
    """Leave out the other labels of a folder."""
    labels = tuple(read_label(label, "instruments") for label in labels)
    if absent := sorted(set(labels) - set(files.labels)):
        raise ConfigError(f"{files.name} has no folder of {', '.join(absent)}; it has {', '.join(files.labels)}")
    if not labels:
        return files
    kept = tuple(label for label in files.labels if label in labels)
    return replace(files, labels=kept, clips=tuple(clip for clip in files.clips if clip.label in kept))
