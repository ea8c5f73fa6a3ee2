"""Tests of `stream.audio`."""
