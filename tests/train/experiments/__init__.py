"""Tests of `train.experiments`."""
