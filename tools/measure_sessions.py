"""How long `soloist sessions` takes, by the number of runs in the log, and of what they hold."""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stream.session_log.store import LogEntry, LogStore, SessionHeader

_UTC = 1_780_000_000.0
_APART = 600.0  # from one run to the next, in seconds
_COMMANDS = {
    "list": (),
    "export of one": ("export", "1"),
    "export of an hour": ("export", "--from", "2026-05-29T00:00Z", "--to", "2026-05-29T01:00Z", "--format", "csv"),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[100, 1000, 5000], help="runs in the log")
    parser.add_argument("--segments", type=int, default=20, help="segments of each run")
    options = parser.parse_args()
    print("runs", *_COMMANDS, sep="\t")  # noqa: T201
    with tempfile.TemporaryDirectory(prefix="soloist-sessions-") as folder:
        for runs in options.runs:
            path = Path(folder) / f"{runs}.db"
            _write(path, runs, options.segments)
            told = (_told(path, arguments) for arguments in _COMMANDS.values())
            print(runs, *told, sep="\t", flush=True)  # noqa: T201


def _write(path: Path, runs: int, segments: int) -> None:
    store = LogStore(path, max_days=36_500, max_bytes=2**34)
    entries = []
    for run in range(runs):
        header = SessionHeader(_UTC + _APART * run, "soloist", "lead", "USB Audio", ("flute", "violin"), f"{run:016x}")
        entries += [
            LogEntry(header, "segment", float(at), at + 1.0, "instrument", "flute", 0.9) for at in range(segments)
        ]
    store.write(entries)
    store.close()


def _told(path: Path, arguments: tuple[str, ...]) -> str:
    """Say how long the command takes as its users run it, with the start of Python: the best of three, and its CPU."""
    command = [sys.executable, "-m", "stream", "sessions", *arguments, "--log", str(path)]
    taken = []
    for _ in range(3):
        begun, spent = time.perf_counter(), _spent()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append((time.perf_counter() - begun, _spent() - spent))
    seconds, processor = (min(column) for column in zip(*taken, strict=True))
    return f"{seconds:.2f} s, CPU {processor:.2f} s"


def _spent() -> float:
    """Return the seconds that processes which have ended took of a processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
