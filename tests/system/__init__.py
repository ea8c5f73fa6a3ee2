"""Tests of `stream.system`."""
