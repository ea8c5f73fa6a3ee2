"""Tests of `train.compose`."""
