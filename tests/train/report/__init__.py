"""Tests of `train.report`."""
