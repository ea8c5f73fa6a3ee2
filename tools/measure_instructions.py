"""Count the instructions of a hop, a figure that no mood of the machine changes.

``python -m tools.measure_instructions`` counts x86 instructions under valgrind, which shows programs a processor with
AVX2. ``python -m tools.measure_instructions FOLDER`` counts those of a Raspberry Pi 4 (Cortex-A72) with QEMU, in the
arm64 Debian that ``tools.measure_pi`` has put into the folder; it needs root, gcc and Debian's ``qemu-user``.

A part is done a few times and, in a second process, many times more; what both have in common, the start, cancels out.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

FEW: Final = 8
MORE: Final = 40
MORE_OF_LITTLE: Final = 1000
HOP: Final = 11 * 512
MODELS: Final = ("lead", "residual", "small", "published")
PARTS: Final = {
    "resample": "one hop of 44 100 Hz stereo to 22 050 Hz mono",
    "features": "mel frames that the hop adds, and dB of the window",
    "lead": "quantize, inference and probabilities, model lead",
    "residual": "the same, model residual",
    "small": "the same, model small",
    "published": "the same, model published",
    "smooth": "average and hysteresis",
    "encode": "the label message as JSON",
    "hop": "all of the recognizer's hop, model lead",
    "hop-small": "all of the recognizer's hop, model small",
    "start": "once: import the service, load model lead",
}
# QEMU's interface to plugins in the few declarations that are needed, because Debian does not package the header.
PLUGIN: Final = r"""
#include <stdint.h>
#include <stdio.h>
typedef uint64_t Id;
struct tb;
__attribute__((visibility("default"))) int qemu_plugin_version = VERSION;
void qemu_plugin_register_vcpu_tb_trans_cb(Id, void (*)(Id, struct tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct tb *, void (*)(unsigned, void *), int, void *);
void qemu_plugin_register_atexit_cb(Id, void (*)(Id, void *), void *);
unsigned long qemu_plugin_tb_n_insns(const struct tb *);
static uint64_t count;
static void run(unsigned cpu, void *n) { __atomic_add_fetch(&count, (uintptr_t)n, __ATOMIC_RELAXED); }
static void translated(Id id, struct tb *tb) {
    qemu_plugin_register_vcpu_tb_exec_cb(tb, run, 0, (void *)(uintptr_t)qemu_plugin_tb_n_insns(tb));
}
static void end(Id id, void *unused) { fprintf(stderr, "I refs: %llu\n", (unsigned long long)count); }
__attribute__((visibility("default"))) int qemu_plugin_install(Id id, const void *info, int argc, char **argv) {
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, end, 0);
    return 0;
}
"""


def work(part: str, times: int) -> None:
    """Do one part of a hop over and over, or, zero times, nothing at all."""
    if not times:
        return
    import numpy as np

    from stream.audio.converter import Converter
    from stream.bench.demo_audio import demo_audio
    from stream.protocol.encoding import encode
    from stream.recognition import bundle
    from stream.recognition.classifier import Classifier
    from stream.recognition.mel import WINDOW
    from stream.recognition.recognizer import Recognizer
    from stream.recognition.settings import MODEL
    from stream.recognition.smoothing import Smoother
    from stream.service import translation

    model = part.removeprefix("hop-")
    classifier = Classifier(bundle.load(model if model in MODELS else MODEL))
    if part == "start":
        import stream.service.service  # noqa: F401

        return
    audio = demo_audio()

    def windows() -> Iterator[tuple[np.ndarray, int]]:
        for end in range(WINDOW, WINDOW + times * HOP, HOP):
            yield audio[end - WINDOW : end], end

    mel = classifier.bundle.front_end.make()
    if part == "resample":
        converter = Converter(44100, 2)
        block = np.ascontiguousarray(np.stack([audio[: 2 * HOP]] * 2, axis=1))
        for _ in range(times):
            converter(block)
    elif part == "features":
        for window, end in windows():
            mel.features(window, end)
    elif part in MODELS:
        features = mel.features(audio[:WINDOW], WINDOW)
        for _ in range(times):
            classifier(features)
    elif part == "smooth":
        smoother = Smoother(classifier.bundle.thresholds, classifier.bundle.smoothing, classifier.bundle.known)
        raw = classifier(mel.features(audio[:WINDOW], WINDOW))
        for _ in range(times):
            smoother.update(raw, HOP / 22050)
    elif part == "encode":
        label = translation.label(next(Recognizer(classifier).feed(audio)).estimate)
        for _ in range(times):
            encode(label)
    else:
        recognizer = Recognizer(classifier)
        for _ in recognizer.feed(audio[: WINDOW + times * HOP]):
            pass


def under_valgrind(part: str, times: int) -> list[str]:
    """Return the command that counts with valgrind."""
    return [
        "valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null",
        sys.executable, __file__, "--work", part, str(times),
    ]  # fmt: skip


def under_qemu(root: Path, plugin: Path, cpu: str) -> Callable[[str, int], list[str]]:
    """Return what makes the command that counts with QEMU."""
    from tools.measure_pi import write_cpuinfo

    write_cpuinfo(root / "opt/cpuinfo", cpu)
    (root / "opt/measure_instructions.py").write_text(Path(__file__).read_text(encoding="utf-8"), encoding="utf-8")
    # Not in a chroot, because the emulator needs this machine's libraries. It looks for files in the root first.
    python = next(root.glob("opt/soloist/bin/python3.*"))
    processor = f'mount --bind "{root}/opt/cpuinfo" /proc/cpuinfo && exec "$@"'
    return lambda part, times: [
        "unshare", "--mount", "sh", "-c", processor, "sh",
        "qemu-aarch64", "-L", str(root), "-cpu", cpu, "-plugin", str(plugin),
        str(root / "usr/bin" / python.name), "/opt/measure_instructions.py", "--work", part, str(times),
    ]  # fmt: skip


def build(folder: Path, root: Path) -> Path:
    """Compile the plugin for the QEMU that is here."""
    plugin = folder / "count.so"
    trial = ["qemu-aarch64", "-L", str(root), "-plugin", str(plugin), str(root / "usr/bin/true")]
    for version in range(1, 7):
        subprocess.run(
            ["gcc", "-O2", "-shared", "-fPIC", f"-DVERSION={version}", "-x", "c", "-", "-o", str(plugin)],
            input=PLUGIN, text=True, check=True,
        )  # fmt: skip
        tried = subprocess.run(trial, capture_output=True, text=True)
        if tried.returncode == 0:
            return plugin
    sys.exit(f"qemu-aarch64 does not take our plugin: {tried.stderr}")


def environment_of(more: dict[str, str]) -> dict[str, str]:
    """Return the variables of what is counted: ours, but bytecode is kept as that of an installation is."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | more


def count(command: list[str], environment: dict[str, str]) -> int:
    """Run a command and return the instructions that it took."""
    done = subprocess.run(command, capture_output=True, text=True, env=environment_of(environment))
    found = re.search(r"I +refs: +([\d,]+)", done.stderr)
    if done.returncode or not found:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return int(found[1].replace(",", ""))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="that of tools.measure_pi: count those of a Raspberry Pi")
    parser.add_argument("--cpu", default="cortex-a72", help="that QEMU shows (%(default)s), as in tools.measure_pi")
    parser.add_argument("--parts", default=",".join(PARTS), help="only these (%(default)s)")
    parser.add_argument("--work", nargs=2, metavar=("PART", "TIMES"), help="what is counted")
    options = parser.parse_args()
    if options.work:
        work(options.work[0], int(options.work[1]))
        return
    environment = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as temporary:
        command: Callable[[str, int], list[str]] = under_valgrind
        if options.folder:
            root = options.folder.absolute()
            command = under_qemu(root, build(Path(temporary), root), options.cpu)
            packages = next(root.glob("opt/soloist/lib/python3*/site-packages"))
            environment["PYTHONPATH"] = f"/{packages.relative_to(root)}"
        for part in options.parts.split(","):
            more = MORE_OF_LITTLE if part in ("smooth", "encode") else MORE
            few, many = (0, 1) if part == "start" else (FEW, FEW + more)
            if part == "start" and not options.folder:
                # A checkout may have no bytecode yet, and to compile is not to start.
                subprocess.run(
                    [sys.executable, __file__, "--work", part, "1"], check=True, env=environment_of(environment)
                )
            taken = count(command(part, many), environment) - count(command(part, few), environment)
            sys.stdout.write(f"{part:10}{taken / (many - few) / 1e6:9.3f} million  {PARTS[part]}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
