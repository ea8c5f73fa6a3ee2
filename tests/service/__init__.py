"""Tests of `stream.service`."""
