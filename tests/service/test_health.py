"""The health by itself: events in, a status and a report out."""

from __future__ import annotations

import logging

import pytest

from stream.protocol.messages import Outage, Status
from stream.service.events import (
    AudioResumed,
    AudioTaken,
    HopSkipped,
    RecognizerReplaced,
    SignalWarned,
    SourceFound,
    SourceTurned,
)
from stream.service.health import STALE_SECONDS, Health
from tests.support.serving import HELLO


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock that audio is held against, in seconds; only the test moves it."""
    now = [1000.0]
    monkeypatch.setattr("stream.system.clock.now", lambda: now[0])
    return now


@pytest.fixture
def health() -> Health:
    """The health of a service that waits for a device."""
    return Health("mic", live=True)


def status(health: Health, log_fault: str | None = None) -> Status:
    """Return what clients are told."""
    return health.status(overflows=3, clients=2, log_fault=log_fault)


def reason(health: Health, still: str | None = None) -> str | None:
    """Return what `/healthz` says is wrong."""
    return health.report(status(health), model="lead", still=still, session_log="written").reason


def test_a_source_that_is_away_is_the_message(health: Health) -> None:
    """What happened to the source comes before all warnings, and is why the service is not healthy."""
    health.take(SourceFound("USB Audio"))
    health.take(SignalWarned(("turn the gain down",)))
    health.take(SourceTurned("waiting", "input 'USB Audio' was lost"))
    told = status(health)
    assert (told.source, told.message, told.warnings) == ("waiting", "input 'USB Audio' was lost", [])
    assert (told.overflows, told.clients) == (3, 2)
    assert reason(health) == "input 'USB Audio' was lost"


def test_warnings_are_told_until_they_are_over(health: Health, caplog: pytest.LogCaptureFixture) -> None:
    """All that should be mended is listed, most urgent first, with the log's fault; the operator hears of each once."""
    health.take(SourceTurned("running"))
    health.take(SignalWarned(("at full scale: turn the gain down", "a DC offset: check the cable")))
    told = status(health, log_fault="the disk is full")
    assert told.message == "at full scale: turn the gain down"
    assert told.warnings == ["at full scale: turn the gain down", "a DC offset: check the cable", "the disk is full"]
    health.take(SignalWarned(("a DC offset: check the cable",)))
    assert [record.getMessage() for record in caplog.records] == [
        "at full scale: turn the gain down",
        "a DC offset: check the cable",
        "over: at full scale",
    ]


def test_audio_that_is_too_old_is_no_health(health: Health, now: list[float]) -> None:
    """Without audio, with audio, with only zeros, and when it stays away."""
    health.take(SourceTurned("running"))
    assert reason(health) == "no audio yet"
    health.take(AudioTaken(0.1, 0, delivered=1000.0))
    assert reason(health) is None
    assert reason(health, still="the input delivers only zeros") == "the input delivers only zeros"
    health.take(AudioTaken(0.1, 0, delivered=None))  # silence in place of what is missing is no sign of life
    now[0] += STALE_SECONDS + 0.1
    assert reason(health) == "no audio for 2.1 s"


def test_what_is_well_again_is_in_the_log(health: Health, caplog: pytest.LogCaptureFixture) -> None:
    """A device that is back is told with how long it was away, once."""
    health.take(SourceFound("USB Audio"))
    health.take(SourceTurned("waiting", "input 'USB Audio' was lost"))
    health.take(SourceTurned("running"))
    health.take(AudioResumed(12.5, Outage(10.0, 22.5, "USB Audio", "it was lost")))
    health.take(AudioResumed(3.0, Outage(40.0, 43.0, "USB Audio", "3.0 s of audio are missing")))
    assert [record.getMessage() for record in caplog.records] == [
        "input 'USB Audio' was lost",
        "input 'USB Audio' is heard again after 12.5 s",
        "3.0 s of audio are missing",
    ]


def test_skipped_hops_are_counted_and_events_of_others_passed_over(health: Health) -> None:
    """Only what concerns the health changes it."""
    for event in (HopSkipped(), HELLO, HopSkipped(), RecognizerReplaced()):
        health.take(event)
    assert status(health).dropped_hops == 2
    assert status(health).hop_ms == 0


def test_slow_inference_is_a_warning(health: Health, caplog: pytest.LogCaptureFixture) -> None:
    """What slows the interpreter down is told to clients as long as it does, and to the operator once."""
    health.slow_down("inference runs without XNNPACK")
    health.slow_down("inference runs without XNNPACK")
    assert status(health).warnings == ["inference runs without XNNPACK"]
    health.slow_down(None)
    assert status(health).warnings == []
    assert len(caplog.records) == 1


@pytest.fixture(autouse=True)
def _all_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "stream.service")
