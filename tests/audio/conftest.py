"""Fixtures of the tests of audio."""

from __future__ import annotations

import pytest

from stream.audio import portaudio
from tests.support.fake_portaudio import FakePortAudio


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakePortAudio:
    """A machine with three inputs, the second of which is the default."""
    fake = FakePortAudio(["HDA Intel: ALC (hw:0,0)", "USB Audio CODEC: - (hw:1,0)", "USB Audio CODEC: - (hw:2,0)"], 1)
    monkeypatch.setattr(portaudio, "load", lambda: fake)
    return fake
