"""The rows of an ablation: the full recipe, and what lacks one ingredient of it or has another network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from stream.errors import ConfigError
from train.compose.composer import INGREDIENTS
from train.experiments.ablation_results import FULL
from train.fitting.augmentation import AUGMENTATIONS
from train.fitting.schedule import Schedule
from train.networks.architectures import NETWORKS
from train.networks.published import VARIANTS


@dataclass(frozen=True, slots=True)
class AblationRow:
    """A line of the table."""

    described: str
    network: str
    """Key of `train.networks.architectures.NETWORKS`."""
    schedule: Schedule
    without: str = ""
    """Key of `train.compose.composer.INGREDIENTS`; empty for all of them."""


def ablation_rows(network: str, schedule: Schedule) -> dict[str, AblationRow]:
    """Declare all rows, by name: the full recipe, then what it is compared with, as GROUP/NAME.

    Parameters
    ----------
    network : str
        Key of `train.networks.architectures.NETWORKS`: that of the full recipe.
    schedule : Schedule
        That of the full recipe.
    """
    found = {FULL: AblationRow(f"all ingredients; {NETWORKS[network].described}", network, schedule)}
    for name, what in INGREDIENTS.items():
        found[f"composer/{name}"] = AblationRow(f"no {name}: {what}", network, schedule, name)
    if schedule.augmented:
        for name in AUGMENTATIONS:
            if name not in schedule.without:
                plain = replace(schedule, without=(*schedule.without, name))
                found[f"augmentation/{name}"] = AblationRow(f"no {name}", network, plain)
    if schedule.handovers:
        plain = replace(schedule, handovers=0.0)
        found["training/handovers"] = AblationRow("no clips that begin with another player", network, plain)
    if schedule.average:
        plain = replace(schedule, average=0.0)
        found["training/average"] = AblationRow("no moving average of the weights", network, plain)
    for name, other in NETWORKS.items():
        if name != network:
            found[f"network/{name}"] = AblationRow(other.described, name, schedule)
    return found


def choose_rows(only: Sequence[str], known: Mapping[str, AblationRow]) -> list[str]:
    """Choose rows by their names or their groups, in the order in which they are declared.

    Parameters
    ----------
    only : sequence of str
        Names, such as ``composer/codec``, and groups, such as ``composer``. Where there are none, all rows but those of
        the published networks, of which 2B stands for all.
    known : mapping
        As from `ablation_rows`.

    Returns
    -------
    list of str
        The full recipe first, which the others are compared with.

    Raises
    ------
    ConfigError
        When there is no such row or group.
    """
    groups = {name: name.partition("/")[0] for name in known}
    if strange := [name for name in only if name not in known and name not in groups.values()]:
        raise ConfigError(f"no row {', '.join(strange)}; there are {', '.join(known)}")
    published = {f"network/{name}" for name in VARIANTS if name != "2B"}
    asked = [name for name in known if {name, groups[name]} & set(only)] or sorted(known.keys() - published)
    return [name for name in known if name == FULL or name in asked]
