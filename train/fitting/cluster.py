"""The machines that train together: this one alone, or the cluster that TF_CONFIG names."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from stream.errors import ConfigError

Values = npt.NDArray[Any]


class Cluster:
    """The processes that train together, each on its part of every batch.

    Keras's own `fit` does not run under MultiWorkerMirroredStrategy; a custom training step does.

    Parameters
    ----------
    distribute : bool
        Whether to join the cluster of the environment's TF_CONFIG. It waits for all of its workers.

    Raises
    ------
    ConfigError
        When TF_CONFIG is missing or names no workers.
    """

    def __init__(self, *, distribute: bool = False) -> None:
        self.index, self.count = 0, 1
        if distribute:
            self.index, self.count = _worker_index(os.environ.get("TF_CONFIG", ""))
            self.strategy = tf.distribute.MultiWorkerMirroredStrategy()
        else:
            self.strategy = tf.distribute.get_strategy()

    @property
    def chief(self) -> bool:
        """Whether this worker writes what comes out."""
        return self.index == 0

    def share(self, rows: Values) -> Values:
        """Choose this worker's part of a batch's rows."""
        return rows[self.index :: self.count]

    def sum(self, function: Callable[..., Any], *inputs: Any) -> Any:
        """Run `function` on every worker, inside a `tf.function`, and sum what they return."""
        results = self.strategy.run(function, inputs)
        return tf.nest.map_structure(
            lambda result: self.strategy.reduce(tf.distribute.ReduceOp.SUM, result, axis=None), results
        )

    def average(self, variables: Sequence[keras.Variable]) -> None:
        """Set variables that every worker has changed by itself to their mean."""
        if self.count > 1:
            means = self._total([np.asarray(variable) / self.count for variable in variables])
            for variable, mean in zip(variables, means, strict=True):
                variable.assign(mean)

    def chiefs(self, values: Sequence[Values]) -> list[Values]:
        """Return the chief's values to every worker; the others give arrays of the same shapes."""
        if self.count == 1:
            return list(values)
        totals = self._total([value if self.chief else np.zeros_like(value) for value in values])
        return [total.astype(value.dtype) for total, value in zip(totals, values, strict=True)]

    def _total(self, values: Sequence[Values]) -> list[Values]:
        """Sum values over the workers. In double precision, which holds seeds and counters exactly."""

        @tf.function  # type: ignore[untyped-decorator]
        def total() -> Any:
            return self.sum(lambda: [tf.constant(value, tf.float64) for value in values])

        return [np.asarray(value) for value in total()]


def _worker_index(config: str) -> tuple[int, int]:
    """Read which of the workers this one is, and how many there are."""
    try:
        parsed = json.loads(config)
        cluster, task = parsed["cluster"]["worker"], parsed["task"]
        if task["type"] != "worker" or not 0 <= task["index"] < len(cluster):
            raise ValueError(f"task {task}")
        return task["index"], len(cluster)
    except (ValueError, KeyError, TypeError) as error:
        example = '{"cluster": {"worker": ["host1:12345", "host2:12345"]}, "task": {"type": "worker", "index": 0}}'
        raise ConfigError(f"--distribute needs a TF_CONFIG like {example}; found {config!r}") from error
