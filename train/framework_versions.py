"""The versions of what networks are trained with."""

from __future__ import annotations

import keras
import tensorflow as tf


def framework_versions() -> dict[str, str]:
    """Return the versions of TensorFlow, whichever of its packages is installed, and of Keras."""
    return {"tensorflow": tf.__version__, "keras": keras.__version__}
