"""Tests of `train.datasets`."""
