"""Tests, in the order of the rooms of `stream` and `train`; what they share is in `tests.support`."""
