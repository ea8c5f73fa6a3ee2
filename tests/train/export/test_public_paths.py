"""Card and json do not tell in which folders somebody made a model."""

from __future__ import annotations

import pytest

pytest.importorskip("tqdm", reason="needs the train extra")

from train.export.public_paths import settings_without_folders, without_folders


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("soloist train fit --data /home/me/pack --name a", "soloist train fit --data pack --name a"),
        ("soloist train fit --data=../../pack/ --out models/b", "soloist train fit --data=pack --out models/b"),
        ("soloist train fit --data '~/my pack'", "soloist train fit --data 'my pack'"),
        (
            "soloist train fit --data pack --rows '0a,2B + delta'",
            "soloist train fit --data pack --rows '0a,2B + delta'",
        ),
    ],
)
def test_paths_outside_the_working_folder_become_names(command: str, told: str) -> None:
    """Absolute paths and those that go up lose their folders; names, flags and paths below stay."""
    assert without_folders(command) == told


def test_settings_lose_folders_however_deep() -> None:
    """Texts in mappings and lists are treated alike, and all else stays as it is."""
    settings = {
        "data": {"path": "/srv/cache/pack", "cap": None, "labels": ["flute", "/a/b"]},
        "start": "../m/lead.json",
    }
    assert settings_without_folders(settings) == {
        "data": {"path": "pack", "cap": None, "labels": ["flute", "b"]},
        "start": "lead.json",
    }
