"""All networks by name: the residual family, and the published ones."""

from __future__ import annotations

from typing import Any, Final

import keras

from train.networks import published, residual
from train.networks.published import VARIANTS, Variant
from train.networks.residual import RESIDUALS, Residual

Network = Variant | Residual

NETWORKS: Final[dict[str, Network]] = {**VARIANTS, **RESIDUALS}
"""All networks by name."""


def network_from_record(record: dict[str, Any]) -> Network:
    """Make the network again that `dataclasses.asdict` wrote down, also by way of json."""
    if "stages" in record:
        return Residual(**{**record, "stages": tuple((wide, blocks) for wide, blocks in record["stages"])})
    return Variant(**record)


def build_network(variant: Network, outputs: int, channels: int = 1, momentum: float = 0.97) -> keras.Model:
    """Build a network with freshly drawn weights.

    Parameters
    ----------
    variant : Variant or Residual
        Which one.
    outputs : int
        Number of labels.
    channels : int
        Number of input channels: the mel, and what is stacked on it.
    momentum : float
        How much of batch normalization's statistics every step of training keeps.

    Returns
    -------
    keras.Model
        From features in dB, shape=(n, 129, 129, channels), -80 to 0, to logits, shape=(n, outputs): there is no
        softmax, because an int8 one, in steps of 1/256, could not be calibrated.
    """
    if isinstance(variant, Residual):
        return residual.build_residual(variant, outputs, channels, momentum)
    return published.build_published(variant, outputs, channels, momentum)
