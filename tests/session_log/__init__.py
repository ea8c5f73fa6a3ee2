"""Tests of `stream.session_log`."""
