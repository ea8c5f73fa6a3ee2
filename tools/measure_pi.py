"""Try Soloist on a Raspberry Pi, nearly: ``sudo python -m tools.measure_pi FOLDER``.

A Debian 13 for arm64 is put into the folder (debootstrap, 450 MB, kept for the next time), which QEMU runs as a
Cortex-A72, the processor of a Pi 4. This checkout is installed there as a wheel. Then the same windows go through the
models there and here, and the same audio through `classify`; the service is started there, and subscribed to from there
and from here. What differs is printed, and judged: the exit status is 0 where all holds.

It needs root and a network, Debian 12 or 13, and this Python with Soloist; debootstrap and QEMU are installed if they
are missing. It takes a quarter to half an hour the first time and some minutes the next. Every command has its own view
of the mounts, so that nothing stays mounted but binfmt_misc, by which the kernel knows QEMU. The emulated processor is
twenty to a hundred times slower than this one, so times mean nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

CHECKOUT: Final = Path(__file__).parents[1]
MODELS: Final = ("lead", "residual", "small", "published")
STEP: Final = 4  # hops from one window to the next that is compared
REFERENCES: Final = 5  # windows that the slow reference kernels hear
QEMU: Final = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")
PACKAGES: Final = {Path("/usr/sbin/debootstrap"): "debootstrap", QEMU: "qemu-user-static"}
BINFMT: Final = Path("/proc/sys/fs/binfmt_misc")
ENTER: Final = """
mount -t proc proc "$0/proc" && mount --rbind /sys "$0/sys" && mount --rbind /dev "$0/dev" &&
mount --bind "$0/opt/cpuinfo" "$0/proc/cpuinfo" && exec chroot "$0" "$@"
"""
CPUS: Final = {"cortex-a53": "0xd03", "cortex-a72": "0xd08", "cortex-a76": "0xd0b"}
CPUINFO: Final = """processor	: {number}
BogoMIPS	: 108.00
Features	: fp asimd evtstrm crc32 cpuid
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x0
CPU part	: {part}
CPU revision	: 3

"""
SOLOIST: Final = "/opt/soloist/bin/soloist"
PYTHON: Final = "/opt/soloist/bin/python"
VERSIONS: Final = """
import numpy, platform
print(platform.machine(), "Python", platform.python_version(), "numpy", numpy.__version__)
"""

DECIBELS: Final = 0.01
"""How much features may differ: a thirtieth of the models' step."""
SURE: Final = 0.001
"""How much a probability may differ in the end."""
ROUNDED: Final = 0.2
"""The same of one window where TFLite's own kernels run: those for ARM round half steps in another direction, which
grows from layer to layer. The service uses XNNPACK, which does not."""


class Pi:
    """The emulated machine.

    Parameters
    ----------
    root : path
        Folder of its root file system.
    cpu : str
        What QEMU calls the processor, one of `CPUS`.
    """

    def __init__(self, root: Path, cpu: str) -> None:
        self._root = root
        self._environment = {**os.environ, "QEMU_CPU": cpu}
        inside = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root", "LC_ALL": "C.UTF-8", "QEMU_CPU": cpu}
        if authority := os.environ.get("PIP_CERT"):
            shutil.copy(authority, root / "opt/authority.pem")
            inside["PIP_CERT"] = "/opt/authority.pem"
        write_cpuinfo(root / "opt/cpuinfo", cpu)
        settings = [f"{key}={value}" for key, value in inside.items()]
        self._enter = ["unshare", "--mount", "sh", "-c", ENTER, str(root), "/usr/bin/env", "-i", *settings]

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command; signals reach it, because everything between is replaced by it."""
        return subprocess.Popen(
            [*self._enter, *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self._environment,
        )  # fmt: skip

    def run(self, *command: str) -> str:
        """Run a command to its end, and return what it wrote."""
        process = self.start(*command)
        out, err = process.communicate()
        if process.returncode:
            sys.exit(f"{' '.join(command)}: {err or out}")
        return out


def write_cpuinfo(file: Path, cpu: str) -> None:
    """Write what is to be in /proc/cpuinfo: the interpreter reads it, and QEMU would pass on what is here."""
    cores = [CPUINFO.format(number=number, part=CPUS[cpu]) for number in range(os.cpu_count() or 1)]
    file.write_text("".join(cores), encoding="ascii")


class Report:
    """The table: what was compared, what came out, and whether it holds."""

    def __init__(self) -> None:
        self.failed = False
        self._began = time.monotonic()

    def tell(self, what: str, found: object, holds: bool | None = None) -> None:
        """Print a line; `holds` is None for what is told only."""
        self.failed |= holds is False
        verdict = {True: "holds", False: "FAILS", None: ""}[holds]
        sys.stdout.write(f"{time.monotonic() - self._began:5.0f} s  {what:58} {found!s:>36}  {verdict}\n")
        sys.stdout.flush()


def run(*command: str | Path) -> None:
    """Run a command here."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr or done.stdout}")


def prepare(root: Path, release: str) -> None:
    """Put Debian into the folder, and teach the kernel to run its programs."""
    missing = [package for file, package in PACKAGES.items() if not file.exists()]
    if missing:
        run("apt-get", "update", "-q")
        run("apt-get", "install", "-yq", *missing)
    if not (BINFMT / "register").exists():
        run("mount", "-t", "binfmt_misc", "binfmt_misc", BINFMT)
    if not (BINFMT / "qemu-aarch64").exists():
        (BINFMT / "register").write_text(QEMU.read_text().strip())
    if not (root / "opt/.complete").exists():
        shutil.rmtree(root, ignore_errors=True)
        packages = "--include=python3,python3-venv,libportaudio2,ca-certificates"
        run("debootstrap", "--arch=arm64", "--variant=minbase", packages, release, root)
        (root / "opt/.complete").touch()
    for file in ("resolv.conf", "hosts"):
        shutil.copy(Path("/etc") / file, root / "etc" / file)


def install(pi: Pi, root: Path) -> None:
    """Build the wheel of this checkout here, and install it there as the documentation says."""
    wheels = root / "opt/wheel"
    shutil.rmtree(wheels, ignore_errors=True)
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", wheels, CHECKOUT)
    wheel = f"/opt/wheel/{next(wheels.iterdir()).name}"
    if not (root / PYTHON[1:]).is_symlink():
        pi.run("python3", "-m", "venv", "/opt/soloist")
    pip = (PYTHON, "-m", "pip", "install", "-q", "--no-cache-dir", "--disable-pip-version-check")
    pi.run(*pip, wheel)
    pi.run(*pip, "--no-deps", "--force-reinstall", wheel)
    pi.run(PYTHON, "-m", "pip", "check")


def probe(given: str, made: str) -> None:
    """Compute features of the given audio, and the models' outputs for the given inputs: here and there."""
    import numpy as np
    from ai_edge_litert import interpreter

    from stream.recognition import bundle
    from stream.recognition.classifier import Classifier
    from stream.recognition.front_end import FrontEnd
    from stream.recognition.mel import WINDOW, StreamingMel

    data = np.load(given)
    audio = data["audio"]
    ends = range(WINDOW, len(audio), STEP * 11 * 512)

    def features_of(front_end: FrontEnd) -> np.ndarray:
        return np.stack([front_end.features(audio[end - WINDOW : end], end) for end in ends])

    found: dict[str, Any] = {"features": features_of(StreamingMel())}
    for model in MODELS:
        for kernels, delegates in (("XNNPACK", True), ("no delegate", False)):
            classifier = Classifier(bundle.load(model), delegates=delegates)
            made_here = np.stack([classifier.quantize(it) for it in features_of(classifier.bundle.front_end.make())])
            inputs = data.get(model, made_here)
            began = time.perf_counter()
            outputs = np.concatenate([classifier.run(it)["instruments"] for it in inputs])
            found[f"{model}, {kernels}, ms"] = 1000 * (time.perf_counter() - began) / len(inputs)
            found[f"{model}, {kernels}"] = outputs
            logits = classifier.tensors["instruments"].dequantize(outputs) / classifier.bundle.temperature
            likelihoods = np.exp(logits - logits.max(axis=1, keepdims=True))
            found[f"{model}, {kernels}, p"] = likelihoods / likelihoods.sum(axis=1, keepdims=True)
        found[model] = made_here
        plain = interpreter.Interpreter(
            model_content=classifier.bundle.model,
            experimental_op_resolver_type=interpreter.OpResolverType.BUILTIN_REF,
        )
        plain.allocate_tensors()
        reference = []
        for it in inputs[:: len(inputs) // REFERENCES]:
            plain.set_tensor(plain.get_input_details()[0]["index"], it)
            plain.invoke()
            named = {it["name"]: it["index"] for it in plain.get_output_details()}
            reference.append(plain.get_tensor(named[classifier.tensors["instruments"].name]))
        found[f"{model}, reference kernels"] = np.concatenate(reference)
    np.savez(made, **found)


def compare_models(pi: Pi, root: Path, report: Report) -> None:
    """Compare features, the models' inputs, and their outputs for the same inputs."""
    import numpy as np

    from stream.bench.demo_audio import demo_audio

    def differ(what: str) -> tuple[str, int]:
        off = np.abs(mine[what].astype(int) - theirs[what])
        return f"{np.count_nonzero(off)} of {off.size}, by {off.max()}", int(off.max())

    (root / "opt/measure_pi.py").write_text(Path(__file__).read_text(encoding="utf-8"), encoding="utf-8")
    given, here, there = (root / "opt" / name for name in ("given.npz", "here.npz", "there.npz"))
    np.savez(given, audio=demo_audio())
    probe(str(given), str(here))
    mine = np.load(here)
    data: dict[str, Any] = {model: mine[model] for model in MODELS}
    np.savez(given, audio=demo_audio(), **data)
    pi.run(PYTHON, "/opt/measure_pi.py", "--probe", "/opt/given.npz", "/opt/there.npz")
    theirs = np.load(there)
    windows = len(mine["features"])
    worst = float(np.abs(mine["features"] - theirs["features"]).max())
    report.tell(f"features of {windows} windows: largest difference", f"{worst:.6f} dB", worst <= DECIBELS)
    found, most = differ(MODELS[0])
    report.tell("their integers that differ, by steps at most", found, most <= 1)
    for model in MODELS:
        for kernels in ("reference kernels", "XNNPACK"):
            found, most = differ(f"{model}, {kernels}")
            report.tell(f"{model}, {kernels}: int8 outputs that differ", found, most == 0)
        found, _ = differ(f"{model}, no delegate")
        off = float(np.abs(mine[f"{model}, no delegate, p"] - theirs[f"{model}, no delegate, p"]).max())
        report.tell(f"{model}, no delegate: int8 outputs that differ", f"{found} steps", None)
        report.tell(f"{model}, no delegate: probability, largest difference", f"{off:.4f}", off <= ROUNDED)
        for kernels in ("XNNPACK", "no delegate"):
            slower = theirs[f"{model}, {kernels}, ms"] / mine[f"{model}, {kernels}, ms"]
            report.tell(f"{model}, {kernels}: an inference, times slower", f"{slower:.0f}")


def compare_classify(pi: Pi, root: Path, report: Report) -> None:
    """Compare what `classify` tells of the demo."""
    import stream

    demo = root / "opt/demo.ogg"
    shutil.copy(Path(stream.__file__).parent / "demo.ogg", demo)
    for model in ("lead", "small"):
        command = ("classify", "--json", "--model", model)
        done = subprocess.run(
            [sys.executable, "-m", "stream", *command, str(demo)], capture_output=True, text=True, check=True
        )
        mine, theirs = json.loads(done.stdout), json.loads(pi.run(SOLOIST, *command, "/opt/demo.ogg"))
        off = max(abs(mine["probabilities"][it] - theirs["probabilities"][it]) for it in mine["probabilities"])
        report.tell(f"classify, {model}: probabilities, largest difference", f"{off:.6f}", off <= SURE)
        lists = [[(s["start"], s["end"], s["label"]) for s in it["segments"]] for it in (mine, theirs)]
        report.tell(f"classify, {model}: label", theirs["label"], mine["label"] == theirs["label"])
        report.tell(f"classify, {model}: segments, with their times", len(lists[1]), lists[0] == lists[1])
        pairs = zip(mine["segments"], theirs["segments"], strict=False)
        off = max(abs(a["confidence"] - b["confidence"]) for a, b in pairs)
        report.tell(f"classify, {model}: confidence of a segment, largest difference", f"{off:.6f}", off <= SURE)


@contextlib.contextmanager
def serving(pi: Pi) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run the service there until the context ends."""
    process = pi.start(SOLOIST, "run", "--input", "demo", "--port", "0", "--model", "small", "--hop", "1")
    assert process.stderr is not None
    try:
        yield _wait(process.stderr, r"listening on http://(\S+)/")[1], process
    finally:
        process.kill()
        process.wait()


def _wait(stream: IO[str], pattern: str) -> re.Match[str]:
    """Read until a line has the pattern."""
    said = []
    for line in stream:
        if found := re.search(pattern, line):
            return found
        said.append(line)
    sys.exit(f"it ended without {pattern}: {''.join(said)}")


async def hear(address: str) -> dict[str, Any]:
    """Subscribe from this machine until three labels with an instrument have come."""
    from stream.client import Client
    from stream.protocol.messages import Hello, Label

    found: dict[str, Any] = {"labels": []}
    async with asyncio.timeout(120), Client(address) as client:
        async for message in client:
            if isinstance(message, Hello):
                found["hello"] = message
            elif isinstance(message, Label) and message.label is not None:
                found["labels"].append(message.label)
                if len(found["labels"]) == 3:
                    break
    return found


def try_service(pi: Pi, report: Report) -> None:
    """Start the service there, subscribe from here and there, and stop it."""
    with serving(pi) as (address, process):
        heard = asyncio.run(hear(address))
        hello = heard["hello"]
        report.tell("service: hello", f"{hello.server}, {hello.model}", hello.model == "small")
        report.tell("service: labels, subscribed from here", ", ".join(heard["labels"]), len(heard["labels"]) == 3)
        listener = pi.start(SOLOIST, "listen", "--json", address)
        assert listener.stdout is not None
        told = json.loads(_wait(listener.stdout, r'^\{"type":"label".*')[0])
        listener.terminate()
        listener.wait()
        report.tell("service: a label by soloist listen, there", told["label"] or told["state"], True)
        with urllib.request.urlopen(f"http://{address}/healthz") as answer:
            health = json.load(answer)
        report.tell("service: /healthz", f"{answer.status} {health['status']}", answer.status == 200)
        process.send_signal(signal.SIGTERM)
        report.tell("service: exit status after SIGTERM", process.wait(60), process.returncode == 0)


def tell_size(pi: Pi, root: Path, report: Report) -> None:
    """Tell what is installed, what it takes on the disk, and how long it takes to import."""
    packages = next((root / "opt/soloist/lib").glob("python3*/site-packages"))
    sizes: dict[str, int] = {}
    for path in packages.rglob("*"):
        if path.is_file() and not path.is_symlink():
            name = re.sub(r"\.libs$|-[\d.]+\.dist-info$", "", path.relative_to(packages).parts[0])
            sizes[name] = sizes.get(name, 0) + path.stat().st_size
    for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:10]:
        report.tell(f"installed: {name}", f"{size / 1e6:.1f} MB")
    for tool in ("pip", "setuptools"):
        sizes.pop(tool, None)
    report.tell("installed: all but pip", f"{sum(sizes.values()) / 1e6:.1f} MB")
    times = []
    for start in (lambda *it: run(sys.executable, *it), lambda *it: pi.run(PYTHON, *it)):
        for code in ("pass", "import stream.service.service"):
            began = time.perf_counter()
            start("-c", code)
            times.append(time.perf_counter() - began)
    report.tell("import: the service, times slower", f"{(times[3] - times[2]) / (times[1] - times[0]):.0f}")


def main() -> None:
    """Try everything, and print what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="where Debian is, or is to be put")
    parser.add_argument("--release", default="trixie", help="of Debian (%(default)s); bookworm is the other")
    parser.add_argument("--cpu", default="cortex-a72", choices=CPUS, help="that QEMU shows (%(default)s)")
    parser.add_argument("--probe", nargs=2, metavar=("GIVEN", "MADE"), help="what is run on both machines")
    options = parser.parse_args()
    if options.probe:
        probe(*options.probe)
        return
    if options.folder is None:
        parser.error("name a folder")
    root = options.folder.absolute()
    report = Report()
    prepare(root, options.release)
    report.tell(f"Debian {options.release} for arm64", root)
    pi = Pi(root, options.cpu)
    install(pi, root)
    report.tell("installed there", pi.run(PYTHON, "-c", VERSIONS).strip())
    tell_size(pi, root, report)
    compare_models(pi, root, report)
    compare_classify(pi, root, report)
    try_service(pi, report)
    sys.exit(report.failed)


if __name__ == "__main__":
    main()
