"""Try the unit under a real systemd: ``sudo python -m tests.measure_unit FOLDER``.

A Debian 12 is put into the folder (debootstrap, 300 MB, kept for the next time), this checkout is installed there as
a wheel, ``soloist install-service`` writes the unit, and systemd-nspawn boots it. Then the service is started, stopped,
killed, suspended and given wrong settings, and what systemd makes of it is printed. It takes some minutes, needs root,
a network, debootstrap and systemd-container, and touches nothing outside of the folder.

The microphone is ALSA's null device: no more than a proof that PortAudio can call back within the sandbox.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

Answer = TypeVar("Answer")

CHECKOUT: Final = Path(__file__).parents[1]
PACKAGES: Final = "systemd,systemd-sysv,dbus,python3,python3-venv,libportaudio2,ca-certificates"
NSPAWN: Final = ("systemd-nspawn", "-q", "--register=no", "--keep-unit", "--resolv-conf=off", "--bind-ro=/etc/ssl")
CONFIG: Final = Path("etc/soloist/soloist.toml")
PATIENCE: Final = 90.0
ASK: Final = """
import sys, urllib.error, urllib.request
try:
    answer = urllib.request.urlopen("http://127.0.0.1:8765/healthz")
except urllib.error.HTTPError as error:
    answer = error
sys.stdout.write(answer.read().decode())
"""


def build(root: Path) -> None:
    """Put Debian and this checkout into the folder."""
    if not (root / "usr/bin/python3").exists():
        run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root))
    (root / "etc/resolv.conf").write_bytes(Path("/etc/resolv.conf").read_bytes())
    wheels = root / "wheel"
    wheels.mkdir(exist_ok=True)
    for old in [*wheels.iterdir(), root / CONFIG, root / "etc/systemd/system/soloist.service"]:
        old.unlink(missing_ok=True)
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", str(CHECKOUT), "-w", str(wheels))
    wheel = next(wheels.iterdir()).name
    pip = "PIP_CERT=/etc/ssl/certs/ca-certificates.crt /opt/soloist/bin/pip install -q"
    for command in (
        "[ -d /opt/soloist ] || python3 -m venv /opt/soloist",
        f"{pip} /wheel/{wheel} && {pip} --no-deps --force-reinstall /wheel/{wheel}",
        "/opt/soloist/bin/soloist install-service",
    ):
        run(*NSPAWN, "--pipe", "-D", str(root), "/bin/sh", "-c", command)


@contextlib.contextmanager
def booted(root: Path) -> Iterator[Callable[[str], str]]:
    """Boot the folder; what is yielded runs a command of the shell in it."""
    with open(root.with_suffix(".log"), "w", encoding="utf-8") as log:
        boot = [*NSPAWN, "--console=pipe", "-b", "-D", str(root)]
        machine = subprocess.Popen(boot, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        children = Path(f"/proc/{machine.pid}/task/{machine.pid}/children")
        leader = until(lambda: children.read_text().split())[0]
        enter = ("nsenter", "-t", leader, "-m", "-u", "-i", "-n", "-p", "-C", "/bin/sh", "-c")
        until(lambda: run(*enter, "systemctl is-system-running --wait", check=False).strip() in ("running", "degraded"))
        yield lambda command: run(*enter, command, check=False)
    finally:
        machine.terminate()
        machine.wait()


def run(*command: str, check: bool = True) -> str:
    """Run a command to its end, and return what it wrote."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr or done.stdout}")
    return done.stdout


def until(ask: Callable[[], Answer]) -> Answer:
    """Ask until there is an answer."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(0.2)
    sys.exit("waited in vain")


def tell(what: str, found: object) -> None:
    """Print a finding."""
    sys.stdout.write(f"{what:48} {found}\n")
    sys.stdout.flush()


def main() -> None:
    """Try everything, and print what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where Debian is, or is to be put")
    root: Path = parser.parse_args().folder.absolute()
    build(root)
    pristine = (root / CONFIG).read_text(encoding="utf-8")

    def configure(**settings: str) -> None:
        text = pristine
        for name, value in settings.items():
            text = re.sub(rf"(?m)^#{name} = .*$", f"{name} = {value}", text)
        (root / CONFIG).write_text(text, encoding="utf-8")

    (root / "etc/asound.conf").write_text('pcm.!default { type null; hint { show on; description "Null" } }\n')
    (root / "opt/ask.py").write_text(ASK)
    with booted(root) as shell:

        def shown(name: str) -> str:
            return shell(f"systemctl show soloist -P {name}").strip()

        def health() -> dict[str, object]:
            return dict(json.loads(shell("/opt/soloist/bin/python /opt/ask.py") or "{}"))

        def status(name: str) -> str:
            return shell(f"grep ^{name}: /proc/$(systemctl show soloist -P MainPID)/status").split(":")[-1].strip()

        def pid() -> str:
            return "" if (now := shown("MainPID")) == "0" or shown("ActiveState") != "active" else now

        configure(input='"demo"')
        began = time.monotonic()
        shell("systemctl daemon-reload; systemctl restart soloist")
        tell("systemctl start waits until it serves, s", round(time.monotonic() - began, 2))
        until(lambda: health().get("status") == "ok")
        tell("health", health()["status"])
        tell("status", until(lambda: "piano" in shown("StatusText") and shown("StatusText")))
        tell("resident memory", status("VmRSS"))
        for name in ("Uid", "Groups", "CapBnd", "NoNewPrivs", "Seccomp"):
            tell(name, status(name))
        inside = "nsenter -m -t $(systemctl show soloist -P MainPID)"
        tell("homes that it sees", shell(f"{inside} ls /home /root 2>&1").split() or "none")
        touch = "for at in /etc /opt /usr /var /var/lib/soloist; do touch $at/x 2>&- && echo $at; done"
        tell("where root could write in its place", shell(f"{inside} sh -c '{touch}'").split())
        began = time.monotonic()
        shell("systemctl stop soloist")
        tell("systemctl stop, s, and result", f"{time.monotonic() - began:.2f} {shown('Result')}")

        shell("systemctl start soloist")
        for signal, limit in (("KILL", "at once"), ("STOP", "30 s")):
            before, began = until(pid), time.monotonic()
            shell(f"kill -{signal} {before}")
            until(lambda before=before: pid() not in ("", before))  # type: ignore[misc]
            tell(f"serves again after SIG{signal} (seen {limit}), s", round(time.monotonic() - began, 1))
        time.sleep(45)
        tell("restarts in 45 s of ordinary life", int(shown("NRestarts")) - 2)

        configure(input='"mic"')
        shell("systemctl restart soloist")
        until(lambda: health().get("source_state") == "running" and health().get("status") == "ok")
        tell("a microphone within the sandbox", health()["source_state"])

        configure(port="70000")
        shell("systemctl reset-failed soloist; systemctl restart soloist")
        until(lambda: shown("ActiveState") == "failed")
        tell("wrong settings: exit status, restarts", f"{shown('ExecMainStatus')} {shown('NRestarts')}")
        tell("", shell("journalctl -u soloist -o cat -p warning | grep expected | tail -1").strip())
        rated = shell("systemd-analyze security --no-pager soloist | tail -1")
        tell("systemd-analyze security", re.sub(r"[^ -~]", "", rated).strip())


if __name__ == "__main__":
    main()
