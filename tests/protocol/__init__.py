"""Tests of `stream.protocol`."""
