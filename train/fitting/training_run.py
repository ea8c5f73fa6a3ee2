"""A training run on disk: what it was told, how far it came, and what it made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras

from stream.errors import ConfigError, SourceError
from train.atomic_file import write_atomically
from train.data_settings import DataSettings
from train.fitting import checkpoint
from train.fitting.fit import CHECKPOINT
from train.fitting.schedule import History, Schedule
from train.networks.architectures import Network, build_network, network_from_record


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """What determines a run.

    Its folder holds `run.json` (this), `state.npz` (the checkpoint), `history.json` (an entry for each epoch),
    `tensorboard/`, and once it is measured `evaluation.json` and `report.html`.
    """

    name: str
    """Of the model that it makes."""
    data: DataSettings
    variant: Network
    channels: tuple[str, ...]
    schedule: Schedule
    command: str
    start: str = ""
    """Bundle whose weights were begun with; freshly drawn ones where empty."""

    @property
    def settings(self) -> dict[str, Any]:
        """What a report lists and a bundle records, as json takes it."""
        return {
            "data": self.data.record(),
            "variant": asdict(self.variant),
            "channels": list(self.channels),
            "schedule": asdict(self.schedule),
            **({"start": self.start} if self.start else {}),
        }

    def save(self, folder: Path) -> None:
        """Write `run.json`."""
        text = json.dumps({"name": self.name, **self.settings, "command": self.command}, indent=1, ensure_ascii=False)
        write_atomically(folder / "run.json", f"{text}\n".encode())

    @classmethod
    def load(cls, folder: Path) -> TrainingRun:
        """Read `run.json`.

        Raises
        ------
        ConfigError
            When the folder holds no run, or one that this version does not understand.
        """
        path = folder / "run.json"
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                record["name"],
                DataSettings.recall(record["data"]),
                network_from_record(record["variant"]),
                tuple(record["channels"]),
                Schedule(**record["schedule"]),
                record["command"],
                record.get("start", ""),
            )
        except OSError as error:
            raise ConfigError(
                f"{folder} holds no run: expected run.json there, as `soloist train fit` writes"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{path} is not the record of a run: {error}") from error

    def model(self, folder: Path, labels: Sequence[str]) -> keras.Model:
        """Build the network with the weights of its best epoch so far.

        Raises
        ------
        SourceError
            When there is no checkpoint yet, or it is not one of this network.
        """
        saved = checkpoint.load_checkpoint(folder / CHECKPOINT)
        if saved is None:
            raise SourceError(f"{folder} has no checkpoint yet: let `soloist train fit` finish an epoch first")
        model = build_network(self.variant, len(labels), len(self.channels))
        shapes, expected = [value.shape for value in saved.best], [tuple(v.shape) for v in model.variables]
        if shapes != expected:
            raise SourceError(f"{folder / CHECKPOINT} is not a checkpoint of variant {self.variant.name}")
        for variable, value in zip(model.variables, saved.best, strict=True):
            variable.assign(value)
        return model


def load_history(folder: Path) -> History:
    """Read how a run went, epoch by epoch.

    Raises
    ------
    SourceError
        When it has not finished an epoch.
    """
    try:
        entries: History = json.loads((folder / "history.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot read {folder / 'history.json'}: {error}") from error
    return entries
