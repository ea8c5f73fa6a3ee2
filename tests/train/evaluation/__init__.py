"""Tests of `train.evaluation`."""
