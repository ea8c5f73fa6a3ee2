"""Tests of `train.pipeline`."""
