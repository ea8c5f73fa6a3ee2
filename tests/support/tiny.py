"""The tiny models of format 2 that `tests.support.tiny_models` has made, for tests that need no TensorFlow."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[1] / "recognition" / "models"
INTEGER: Final = FOLDER / "tiny-129.tflite"
"""Full-integer int8, with the front end of format 1."""
REAL: Final = FOLDER / "tiny-128.tflite"
"""float32, with the front end at 32 kHz."""


def copied(folder: Path, model: Path = INTEGER, **changes: object) -> Path:
    """Copy a model with another json: keys are replaced, or taken away where the value is None. Its .tflite's path."""
    info = json.loads(model.with_suffix(".json").read_text()) | changes
    path = folder / "mine.tflite"
    shutil.copy(model, path)
    path.with_suffix(".json").write_text(json.dumps({key: value for key, value in info.items() if value is not None}))
    return path
