"""Tests of `stream.players`."""
