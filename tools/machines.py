"""Machines with a systemd of their own: the same folder booted as a container, or as a virtual machine."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

Answer = TypeVar("Answer")
Shell = Callable[[str], str]
"""Runs a command of the shell in the machine, and returns what it wrote to standard output."""

NSPAWN: Final = ("systemd-nspawn", "-q", "--register=no", "--keep-unit", "--resolv-conf=off", "--bind-ro=/etc/ssl")
PATIENCE: Final = 240.0
BOOTED: Final = "systemctl is-system-running --wait"
PORT: Final = "soloist.shell"  # of the virtual machine, which leads to a shell
UNIT: Final = f"""
[Service]
WorkingDirectory=/dev
ExecStart=/bin/sh -c 'until [ -e virtio-ports/{PORT} ]; do sleep 0.2; done; exec sh 0<>virtio-ports/{PORT} >&0'
"""
KERNEL: Final = "apt-get install -yq --no-install-recommends linux-image-amd64 initramfs-tools"
# The processor is emulated, for a machine that is virtual itself may have no other to lend. The sound card is a real
# one to Linux, and delivers zeros.
QEMU: Final = (
    "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "1024", "-display", "none", "-no-reboot",
    "-nic", "none", "-device", "virtio-serial",
    "-audiodev", "none,id=sound", "-device", "intel-hda", "-device", "hda-duplex,audiodev=sound",
)  # fmt: skip


def run(*command: str, check: bool = True) -> str:
    """Run a command here to its end, and return what it wrote."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr or done.stdout}")
    return done.stdout


def enter(root: Path, command: str) -> None:
    """Run a command of the shell in the folder, which is not booted."""
    run(*NSPAWN, "--pipe", "-D", str(root), "/bin/sh", "-c", command)


def until(ask: Callable[[], Answer]) -> Answer:
    """Ask until there is an answer."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(0.2)
    sys.exit("waited in vain")


@contextlib.contextmanager
def container(root: Path) -> Iterator[Shell]:
    """Boot the folder with systemd-nspawn: on this kernel, with its control groups, and without sound cards."""
    with open(root.with_suffix(".log"), "w", encoding="utf-8") as log:
        boot = [*NSPAWN, "--console=pipe", "-b", "-D", str(root)]
        machine = subprocess.Popen(boot, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        children = Path(f"/proc/{machine.pid}/task/{machine.pid}/children")
        leader = until(lambda: children.read_text().split())[0]
        inside = ("nsenter", "-t", leader, "-m", "-u", "-i", "-n", "-p", "-C", "/bin/sh", "-c")
        until(lambda: run(*inside, BOOTED, check=False).strip() in ("running", "degraded"))
        yield lambda command: run(*inside, command, check=False)
    finally:
        machine.terminate()
        machine.wait()


@contextlib.contextmanager
def virtual(root: Path) -> Iterator[Shell]:
    """Boot a copy of the folder with QEMU: on Debian's kernel, with cgroup v2, a sound card, and all of it slow."""
    if not (root / "vmlinuz").exists():
        enter(root, f"apt-get update -q && DEBIAN_FRONTEND=noninteractive {KERNEL}")
    (root / "etc/systemd/system/shell.service").write_text(UNIT)
    image = root.with_suffix(".img")
    image.unlink(missing_ok=True)
    run("truncate", "-s", "3G", str(image))
    run("mkfs.ext4", "-q", "-d", str(root), str(image))
    boot = root / "boot"
    with tempfile.TemporaryDirectory() as temporary, socket.socket(socket.AF_UNIX) as server:
        path = f"{temporary}/shell"
        server.bind(path)
        server.listen()
        machine = subprocess.Popen(
            [
                *QEMU, "-kernel", str(max(boot.glob("vmlinuz-*"))), "-initrd", str(max(boot.glob("initrd.img-*"))),
                "-append", "root=/dev/vda rw console=ttyS0 panic=-1 systemd.wants=shell.service",
                "-drive", f"file={image},format=raw,if=virtio,cache=unsafe", "-serial", f"file:{root}.log",
                "-chardev", f"socket,id=shell,path={path}", "-device", f"virtserialport,chardev=shell,name={PORT}",
            ],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            port = server.accept()[0]
            with port, port.makefile("rwb", buffering=0) as lines:

                def shell(command: str) -> str:
                    lines.write(f"( {command}\n) </dev/null 2>/dev/null; printf '\\0'\n".encode())
                    said = bytearray()
                    while not said.endswith(b"\0"):
                        said += lines.read(1 << 16) or sys.exit(f"the machine is gone; {root}.log tells more")
                    return said[:-1].decode()

                until(lambda: shell(BOOTED).strip() in ("running", "degraded"))
                yield shell
        finally:
            machine.terminate()
            machine.wait()
            image.unlink()
