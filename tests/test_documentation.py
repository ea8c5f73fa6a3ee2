"""The documentation: its examples run, and its links lead somewhere."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from stream.bench.demo_audio import demo_audio
from stream.client import Client
from stream.protocol.messages import Status
from stream.recognition.mel import SAMPLE_RATE
from tests.support.processes import program, serving
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("models/*.md")]
    if not {".venv", "node_modules"} & set(path.parts)
)


def example(name: str) -> str:
    """Return the program that stands under a name in docs/python.md."""
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    found = re.search(rf"<!-- example: {name} -->\n```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


def run(name: str) -> list[str]:
    """Run an example and return the lines that it prints."""
    done = subprocess.run([sys.executable, "-c", example(name)], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_the_example_of_a_file_runs() -> None:
    """It tells the length of the demo, and what is heard in it from 0 to the end."""
    first, *parts = run("classify")
    assert re.fullmatch(r"\d+\.\d s", first)
    assert parts[0].split()[0] == "0.00"
    ends = [float(part.split()[2]) for part in parts]
    assert ends[-1] == pytest.approx(float(first.split()[0]), abs=0.05)
    assert [float(part.split()[0]) for part in parts[1:]] == ends[:-1]


def test_the_example_of_samples_runs() -> None:
    """Only the three that are named, and what is none of them, are heard in the demo."""
    heard = {line.split(" s  ")[1] for line in run("recognizer")}
    assert {"piano", "unknown"} <= heard <= {"piano", "flute", "trumpet", "unknown", "silence"}


async def test_the_example_of_a_client_runs() -> None:
    """It prints the demo's first instrument; the demo begins when it has connected, however long that takes."""
    start = demo_audio()[: 8 * SAMPLE_RATE]
    text = example("client")
    async with (
        asyncio.timeout(PATIENCE),
        serving("--input", "-", "--pcm", f"f32le:{SAMPLE_RATE}:1", stdin=PIPE) as service,
        program(sys.executable, "-c", text.replace("127.0.0.1:8765", service.address), stdout=PIPE, cwd=ROOT) as shown,
        Client(service.address, types=["status"]) as watching,
    ):
        async for message in watching:
            if isinstance(message, Status) and message.clients == 2:
                break
        assert service.process.stdin is not None
        assert shown.stdout is not None
        service.process.stdin.write(start.astype("<f4").tobytes())
        line = (await shown.stdout.readline()).decode()
        service.process.stdin.close()
    assert re.fullmatch(r" *\d+\.\d\d s  piano\n", line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page names a file of the project, and a heading that is there."""
    links = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL))
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        name, _, heading = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        if heading and target.suffix == ".md":
            titles = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
            assert heading in slugs, link


def test_the_architecture_names_what_is_there() -> None:
    """Every module, folder and page that docs/architecture.md names is in the project."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"[\w/]+/[\w.]+\.(?:py|md|json|toml|js)\b|(?<![\w/])[a-z_]+/(?=[` \n])", text))
    assert len(named) > 40
    places = [ROOT, ROOT / "stream", ROOT / "train"]
    assert [name for name in sorted(named) if not any((place / name).exists() for place in places)] == []
