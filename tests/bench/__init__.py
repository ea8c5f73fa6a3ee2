"""Tests of `stream.bench`."""
