"""What stands where a layer was that a copy of a network does without."""

from __future__ import annotations

from typing import Any

import keras


class PassThrough(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Hands on what it gets; `keras.layers.Identity` takes no mask."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Return the inputs."""
        return inputs
