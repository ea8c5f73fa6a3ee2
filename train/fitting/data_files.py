"""Which files a run learns from, so that a run that finds others can say which came and which went."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from train.datasets.corpus import Corpus

Files = Mapping[str, str]
"""By path: the split, and a digest of label and content."""

_NAMED: Final = 3  # files of a kind that are named


def data_files(*corpora: Corpus) -> dict[str, str]:
    """List the files of corpora; nothing of composed clips, which have none."""
    states: defaultdict[str, list[bytes]] = defaultdict(list)
    splits: dict[str, str] = {}
    for corpus in corpora:
        for clip, key in zip(corpus.clips, corpus.keys, strict=True):
            if clip.path is not None:
                states[str(clip.path)] += [clip.label.encode(), key]
                splits[str(clip.path)] = clip.split
    digests = {path: hashlib.sha256(b"".join(state)).hexdigest()[:16] for path, state in states.items()}
    return {path: f"{split} {digests[path]}" for path, split in splits.items()}


def describe_changes(before: Files, now: Files) -> str:
    """Say which files came, went and changed, and how many are on another side; empty where nothing differs."""
    contents = [{path: state.split()[1] for path, state in files.items()} for files in (before, now)]
    kinds = {
        "new": [path for path in now if path not in before],
        "gone": [path for path in before if path not in now],
        "changed": [path for path in now if path in before and contents[0][path] != contents[1][path]],
    }
    told = [f"{len(paths)} {kind} ({_named(paths)})" for kind, paths in kinds.items() if paths]
    moved = [path for path in now if path in before and before[path] != now[path] and path not in kinds["changed"]]
    if moved:
        told.append(f"{len(moved)} on another side of the division")
    return ", ".join(told)


def _named(paths: list[str]) -> str:
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return ", ".join(sorted(paths)[:_NAMED]) + more
