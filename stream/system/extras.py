"""Parts of Soloist that not everybody installs, and the command that adds them to the installation that is running.

No package index has Soloist, so a command with its bare name would install nothing, or something else. What works
depends on where the running code came from: a checkout, a wheel's file, a repository.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

SIZES: Final = {"train": "1.6 GB", "study": "2.1 GB", "search": "1.8 GB", "formats": "104 MB"}
"""What an extra adds on disk, where it is much: on x86-64 with Python 3.11. `study` and `search` contain `train`."""

_NAME: Final = "soloist"
_CHECKOUT: Final = Path(__file__).parents[2]
"""Where the running code lies: a checkout, or the folder of installed packages."""


def advise_install(*extras: str) -> str:
    """Say how to add extras to the installation that is running.

    Parameters
    ----------
    extras : str
        Names of extras in `pyproject.toml`.

    Returns
    -------
    str
        A command as a shell takes it, and after it what that takes on disk where it is much.
    """
    names = ",".join(extras)
    requirement = _requirement(f"[{names}]")
    told = [f"{SIZES[extra]} on disk" for extra in extras if extra in SIZES]
    if not requirement:
        requirement = f"'PATH[{names}]'"
        told.insert(0, "PATH: the wheel or the folder that Soloist was installed from")
    return f"{_installer()} {requirement}" + (f" ({'; '.join(told)})" if told else "")


def _installer() -> str:
    """Return the command that installs for the running Python, which is not always the first pip on the path."""
    python = shlex.quote(sys.executable or "python3")
    if importlib.util.find_spec("pip"):
        return f"{python} -m pip install"
    return f"uv pip install --python {python}" if shutil.which("uv") else f"pip --python {python} install"


def _requirement(extras: str) -> str:
    """Return what to install Soloist from; empty where that is not known any more."""
    if (_CHECKOUT / "pyproject.toml").is_file():
        return f"-e {shlex.quote(f'{_CHECKOUT}{extras}')}"
    origin = _origin()
    url = str(origin.get("url", ""))
    if urlsplit(url).scheme == "file" and "vcs_info" not in origin:
        path = Path(url2pathname(urlsplit(url).path))
        return shlex.quote(f"{path}{extras}") if path.exists() else ""
    if vcs := origin.get("vcs_info"):
        url = f"{vcs['vcs']}+{url}@{vcs['commit_id']}"
    if below := origin.get("subdirectory"):
        url += f"#subdirectory={below}"
    return shlex.quote(f"{_NAME}{extras} @ {url}") if url else ""


def _origin() -> dict[str, Any]:
    """Read where the distribution was installed from (PEP 610); nothing where nobody wrote that down."""
    try:
        text = importlib.metadata.distribution(_NAME).read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return {}
    origin: dict[str, Any] = json.loads(text or "{}")
    return origin
