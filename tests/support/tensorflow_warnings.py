"""What TensorFlow and Keras warn of that is none of our doing, as a mark for the tests that run them."""

from __future__ import annotations

import pytest

ignore_tensorflow_warnings = pytest.mark.filterwarnings(
    # Full-integer models take their statistics from their clips.
    "ignore:Statistics for quantized inputs were expected:UserWarning",
    # The converter warns about itself, and Keras about numpy when it loads.
    "ignore::DeprecationWarning:tensorflow.*",
    "ignore::DeprecationWarning:keras.*",
    "ignore::ImportWarning",
)
