"""Tests of `stream.server`."""
