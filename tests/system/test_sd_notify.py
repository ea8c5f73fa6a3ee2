"""What is sent to systemd, over a real socket."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.system.sd_notify import SystemdNotifier


class Manager:
    """What listens in place of systemd."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(10)

    def receive(self) -> dict[str, str]:
        """Return the assignments of the next datagram."""
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().split("\n"))

    def received_nothing(self) -> bool:
        """Whether no datagram lies there. What was sent does, for a datagram is there when its sending returns."""
        self.socket.setblocking(False)
        try:
            self.socket.recv(4096)
        except BlockingIOError:
            return True
        finally:
            self.socket.settimeout(10)
        return False


@pytest.fixture(params=["path", "abstract"])
def listening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Manager, str]]:
    """A manager, and its address as NOTIFY_SOCKET has it."""
    if request.param == "path":
        name = str(tmp_path / "notify")
        manager = Manager(name)
    else:
        name = f"@soloist-test-{os.getpid()}"
        manager = Manager("\0" + name[1:])
    yield manager, name
    manager.socket.close()


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return its time in seconds."""
        return self.now


def test_the_states_of_a_service_reach_the_manager(listening: tuple[Manager, str]) -> None:
    """Ready, status, reloading and stopping are told as sd_notify(3) has them, on a path and an abstract socket."""
    manager, name = listening
    clock = Clock()
    notifier = SystemdNotifier({"NOTIFY_SOCKET": name}, clock)
    notifier.ready("listening")
    assert manager.receive() == {"READY": "1", "STATUS": "listening"}
    notifier.status("waits for\n'USB Audio'")
    assert manager.receive() == {"STATUS": "waits for 'USB Audio'"}
    clock.now = 1234.5
    notifier.reloading()
    assert manager.receive() == {"RELOADING": "1", "MONOTONIC_USEC": "1234500000"}
    notifier.ready("waits for 'USB Audio'")
    assert manager.receive() == {"READY": "1", "STATUS": "waits for 'USB Audio'"}
    notifier.stopping()
    assert manager.receive() == {"STOPPING": "1", "STATUS": "ending"}
    notifier.close()


def test_a_status_is_told_once(listening: tuple[Manager, str]) -> None:
    """What the manager knows already is not told again."""
    manager, name = listening
    notifier = SystemdNotifier({"NOTIFY_SOCKET": name})
    notifier.status("running")
    notifier.status("running")
    assert manager.receive() == {"STATUS": "running"}
    assert manager.received_nothing()
    notifier.close()


def test_signs_of_life_are_rationed(listening: tuple[Manager, str]) -> None:
    """However often audio goes through, the watchdog gets four datagrams in its time, beginning at once."""
    manager, name = listening
    clock = Clock()
    variables = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "8000000", "WATCHDOG_PID": str(os.getpid())}
    notifier = SystemdNotifier(variables, clock)
    assert notifier.watchdog_seconds == 8.0
    told = 0
    for _ in range(80):
        notifier.keep_alive()
        if not manager.received_nothing():
            told += 1
        clock.now += 0.1
    assert told == 4
    notifier.close()


@pytest.mark.parametrize(
    "watch", [{}, {"WATCHDOG_USEC": "8000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "x"}]
)
def test_without_a_watchdog_nothing_is_fed(tmp_path: Path, watch: dict[str, str]) -> None:
    """Signs of life go to a watchdog that watches this process, and nowhere else."""
    manager = Manager(str(tmp_path / "notify"))
    notifier = SystemdNotifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), **watch})
    assert notifier.watchdog_seconds is None
    notifier.keep_alive()
    assert manager.received_nothing()
    notifier.close()
    manager.socket.close()


@pytest.mark.parametrize("name", [None, "", "vsock:2:1234"])
def test_without_a_manager_nobody_is_told(name: str | None, caplog: pytest.LogCaptureFixture) -> None:
    """Where there is no socket, or one of a kind that we do not speak, everything is told to nobody."""
    notifier = SystemdNotifier({} if name is None else {"NOTIFY_SOCKET": name})
    assert notifier.watchdog_seconds is None
    notifier.ready("x")
    notifier.stopping()
    notifier.close()
    assert caplog.messages == []


def test_a_manager_that_is_gone_ends_no_show(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A socket that nobody listens on, or that is full, costs a warning."""
    path = tmp_path / "notify"
    notifier = SystemdNotifier({"NOTIFY_SOCKET": str(path)})
    notifier.ready("x")
    assert caplog.messages == ["cannot tell systemd: No such file or directory"]
    manager = Manager(str(path))
    for number in range(10_000):
        notifier.status(str(number))
        if len(caplog.messages) > 1:
            break
    assert caplog.messages[1:] == ["cannot tell systemd: Resource temporarily unavailable"]
    manager.socket.close()
    notifier.close()


def test_the_clock_is_the_one_that_systemd_compares_with(tmp_path: Path) -> None:
    """MONOTONIC_USEC counts on CLOCK_MONOTONIC."""
    manager = Manager(str(tmp_path / "notify"))
    notifier = SystemdNotifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notifier.reloading()
    told = int(manager.receive()["MONOTONIC_USEC"])
    assert before <= told <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000 + 1
    notifier.close()
    manager.socket.close()
