"""Certificates for tests, of an authority that nobody else trusts."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Certificate:
    """A certificate for 127.0.0.1 and localhost, which is its own authority."""

    folder: Path
    certificate: Path
    key: Path


def make(
    folder: Path,
    name: str = "certificate",
    passphrase: str | None = None,
    days: int = 30,
    more: Sequence[str] = (),
) -> Certificate:
    """Make a certificate and its key, with OpenSSL's command; it holds for so many days."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes certificates, is not installed")
    files = Certificate(folder, folder / f"{name}.pem", folder / f"{name}.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", str(days)]
        + (["-nodes"] if passphrase is None else ["-passout", f"pass:{passphrase}"])
        + ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
        + [*more, "-keyout", str(files.key), "-out", str(files.certificate)],
        check=True,
        capture_output=True,
    )
    return files
