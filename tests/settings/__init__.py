"""Tests of `stream.settings`."""
