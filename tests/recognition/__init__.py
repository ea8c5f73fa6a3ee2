"""Tests of `stream.recognition`."""
