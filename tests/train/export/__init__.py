"""Tests of `train.export`."""
