"""Try the unit under a real systemd: ``sudo python -m tools.measure_unit FOLDER``.

A Debian 12 is put into the folder (debootstrap, 300 MB, kept for the next time), this checkout is installed there as
a wheel, ``soloist install-service`` writes the unit, and systemd-nspawn boots it. Then the service is started, stopped,
killed, suspended and given other settings and models, good and bad ones, and what systemd makes of it is printed. It
takes some minutes, needs root, a network, debootstrap and systemd-container, and touches nothing outside of the folder.

``--virtual`` boots it with QEMU, with a kernel and a sound card of its own; it needs qemu-system-x86, and times mean
nothing there. What a machine does not have is not tried: a container has no sound card, and only with cgroup v2 does
systemd hear of processes that the kernel ended for want of memory. ``--release trixie`` takes Debian 13, whose systemd
asks for cgroup v2, too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import time
from pathlib import Path
from typing import Any, Final

from stream.recognition import bundle
from tools.machines import Shell, container, enter, run, until, virtual

CHECKOUT: Final = Path(__file__).parents[1]
PACKAGES: Final = "systemd,systemd-sysv,dbus,python3,python3-venv,libportaudio2,ca-certificates"
CONFIG: Final = Path("etc/soloist/soloist.toml")
PYTHON: Final = "/opt/soloist/bin/python"
SECONDS: Final = 45  # of ordinary life, one and a half times what the watchdog waits
MODEL: Final = "/var/lib/soloist/mine.tflite"
ASK: Final = """
import sys, urllib.error, urllib.request
try:
    answer = urllib.request.urlopen("http://127.0.0.1:8765/healthz", timeout=10)
except urllib.error.HTTPError as error:
    answer = error
sys.stdout.write(answer.read().decode())
"""
HOG: Final = """
import sys
with open(f"/sys/fs/cgroup{sys.argv[1]}/cgroup.procs", "w") as processes:
    processes.write("0")
b"x" * (1 << 29)
"""
"""Makes itself a process of the service, and takes more memory than the unit lets it have."""


def build(root: Path, release: str) -> None:
    """Put Debian, this checkout and models that are not ours into the folder."""
    if not (root / "usr/bin/python3").exists():
        run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", release, str(root))
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
        enter(root, command)
    (root / "opt/ask.py").write_text(ASK)
    (root / "opt/hog.py").write_text(HOG)
    shipped = bundle.load("residual")
    for name, model in (
        ("mine", shipped.model + b"mine"),  # which no interpreter minds
        ("damaged", shipped.model[: len(shipped.model) // 2]),
    ):
        (root / f"opt/{name}.tflite").write_bytes(model)
        info = shipped.info | {"name": name, "sha256": hashlib.sha256(model).hexdigest()}
        (root / f"opt/{name}.json").write_text(json.dumps(info))


def tell(what: str, found: object) -> None:
    """Print a finding."""
    sys.stdout.write(f"{what:58} {found}\n")
    sys.stdout.flush()


class Unit:
    """The service in a machine, as systemd and its clients see it."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self._pristine = shell(f"cat /{CONFIG}")

    def shown(self, name: str) -> str:
        """Return what systemd knows."""
        return self.shell(f"systemctl show soloist -P {name}").strip()

    def health(self) -> dict[str, Any]:
        """Return what /healthz says, nothing where it does not."""
        return dict(json.loads(self.shell(f"{PYTHON} /opt/ask.py") or "{}"))

    def process(self, name: str) -> str:
        """Return what /proc/PID/status says of it."""
        return self.shell(f"grep ^{name}: /proc/$(systemctl show soloist -P MainPID)/status").split(":")[-1].strip()

    def pid(self) -> str:
        """Return its number, nothing where it does not serve."""
        now = self.shown("MainPID")
        return "" if now == "0" or self.shown("ActiveState") != "active" else now

    def ok(self) -> bool:
        """Whether it serves and hears."""
        return bool(self.health().get("status") == "ok")

    def configure(self, **settings: str) -> None:
        """Write settings, all others at their defaults."""
        text = self._pristine
        for name, value in settings.items():
            text, found = re.subn(rf"(?m)^#{name} = .*$", f"{name} = {value}", text)
            assert found == 1, name
        self.shell(f"cat > /{CONFIG} <<'END'\n{text}\nEND")

    def place(self, model: str) -> None:
        """Put a model where the settings name one."""
        for suffix in ("tflite", "json"):
            self.shell(f"install -m 644 /opt/{model}.{suffix} /var/lib/soloist/mine.{suffix}")

    def reload(self, what: str) -> None:
        """Reload, and tell what came of it: what the service says, and whether it is the same that served before."""
        before = self.pid()

        def journal() -> list[str]:
            return self.shell(f"journalctl -o cat _SYSTEMD_UNIT=soloist.service _PID={before}").splitlines()

        known = len(journal())
        if failed := self.shell("systemctl reload soloist 2>&1"):
            sys.exit(failed)
        until(lambda: any("settings" in line for line in journal()[known:]))
        until(lambda: self.pid() and self.ok())
        said = journal()[known:]
        tell(f"reload, {what}: process", "the same" if self.pid() == before else "another")
        for line in said:
            tell("", line)
        health = self.health()
        tell("", f"{self.shown('ActiveState')}, /healthz {health['status']}, model {health['model']}")


def try_life(unit: Unit) -> None:
    """Start, look at it, stop it, kill it, suspend it, and let it live."""
    shell = unit.shell
    unit.configure(input='"demo"')
    began = time.monotonic()
    shell("systemctl daemon-reload; systemctl restart soloist")
    tell("systemctl start waits until it serves, s", round(time.monotonic() - began, 2))
    until(unit.ok)
    tell("health", unit.health()["status"])
    tell("status", until(lambda: "hears" in unit.shown("StatusText") and unit.shown("StatusText")))
    tell("resident memory", unit.process("VmRSS"))
    for name in ("Uid", "Groups", "CapBnd", "NoNewPrivs", "Seccomp"):
        tell(name, unit.process(name))
    inside = "nsenter -m -t $(systemctl show soloist -P MainPID)"
    tell("homes that it sees", shell(f"{inside} ls /home /root 2>&1").split() or "none")
    touch = "for at in /etc /opt /usr /var /var/lib/soloist; do touch $at/x 2>&- && echo $at; done"
    tell("where root could write in its place", shell(f"{inside} sh -c '{touch}'").split())
    began = time.monotonic()
    shell("systemctl stop soloist")
    tell("systemctl stop, s, and result", f"{time.monotonic() - began:.2f} {unit.shown('Result')}")

    shell("systemctl start soloist")
    for signal, limit in (("KILL", "at once"), ("STOP", "30 s")):
        before, began = until(unit.pid), time.monotonic()
        shell(f"kill -{signal} {before}")
        until(lambda before=before: unit.pid() not in ("", before))  # type: ignore[misc]
        tell(f"serves again after SIG{signal} (seen {limit}), s", round(time.monotonic() - began, 1))
    restarts = int(unit.shown("NRestarts"))
    time.sleep(SECONDS)
    tell(f"restarts in {SECONDS} s of ordinary life", int(unit.shown("NRestarts")) - restarts)


def try_reload(unit: Unit) -> None:
    """Reload good settings and bad ones."""
    unit.configure(input='"demo"', instruments='["piano", "violin"]', hop="0.5")
    unit.reload("another line-up and hop")
    hello = "timeout 60 /opt/soloist/bin/soloist listen --json 127.0.0.1:8765 | grep -m 1 hello"
    tell("", {name: json.loads(unit.shell(hello))[name] for name in ("lineup", "hop")})
    unit.configure(input='"demo"', hop="-1.0")
    unit.reload("broken settings")


def try_models(unit: Unit) -> None:
    """Reload models that are not ours, a good one and a bad one, and start with one."""
    unit.place("mine")
    unit.configure(input='"demo"', model=f'"{MODEL}"')
    unit.reload("a model that is not ours")
    unit.place("damaged")
    unit.reload("a damaged model in its place")
    unit.place("mine")
    unit.shell("systemctl restart soloist")
    until(unit.ok)
    tell("start with a model that is not ours", f"{unit.health()['status']}, model {unit.health()['model']}")


def try_memory(unit: Unit) -> None:
    """Let a process of the service take all memory that the unit may have."""
    if not unit.shell("grep -s memory /sys/fs/cgroup/cgroup.controllers"):
        tell("want of memory", "not tried: no cgroup v2")
        return
    before = until(unit.pid)
    status = unit.shell(f"{PYTHON} /opt/hog.py $(systemctl show soloist -P ControlGroup); echo $?")
    tell("want of memory: status of the process that took it", status.strip())
    until(unit.ok)
    tell("", unit.shell("journalctl -o cat -u soloist | grep -i oom | tail -1").strip())
    tell("", f"the service is {'the same' if unit.pid() == before else 'another'}, /healthz {unit.health()['status']}")


def try_microphone(unit: Unit) -> None:
    """Hear a sound card."""
    card = unit.shell("grep -s -m 1 : /proc/asound/cards").strip()
    if not card:
        tell("a microphone within the sandbox", "not tried: no sound card")
        return
    unit.configure(input='"mic"')
    unit.shell("systemctl restart soloist")
    until(lambda: unit.health().get("source_state") == "running")
    tell("a microphone within the sandbox", f"{unit.health()['source']}, {unit.health()['source_state']}")


def main() -> None:
    """Try everything, and print what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where Debian is, or is to be put")
    parser.add_argument("--release", default="bookworm", help="of Debian (%(default)s); trixie is the other")
    parser.add_argument("--virtual", action="store_true", help="boot a virtual machine, not a container")
    options = parser.parse_args()
    root: Path = options.folder.absolute()
    build(root, options.release)
    with (virtual if options.virtual else container)(root) as shell:
        unit = Unit(shell)
        tell("systemd, control groups", shell("systemctl --version | head -1; stat -fc %T /sys/fs/cgroup").split("\n"))
        try_life(unit)
        try_reload(unit)
        try_memory(unit)
        try_microphone(unit)
        if not options.virtual:  # where trying a model takes longer than is waited for
            try_models(unit)

        unit.configure(port="70000")
        shell("systemctl reset-failed soloist; systemctl restart soloist")
        until(lambda: unit.shown("ActiveState") == "failed")
        tell("wrong settings: exit status, restarts", f"{unit.shown('ExecMainStatus')} {unit.shown('NRestarts')}")
        tell("", shell("journalctl -u soloist -o cat -p warning | grep expected | tail -1").strip())
        for how in ("soloist", "--offline=true /etc/systemd/system/soloist.service"):
            rated = shell(f"systemd-analyze security --no-pager {how} | tail -1")
            tell(f"systemd-analyze security {how}"[:58], re.sub(r"[^ -~]", "", rated).strip())


if __name__ == "__main__":
    main()
