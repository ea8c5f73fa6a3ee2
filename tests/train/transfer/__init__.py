"""Tests of `train.fitting`."""
