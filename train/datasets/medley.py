"""Medley-solos-DB as a data set: the tasks of the study, and its division beside the official one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

from stream.errors import ConfigError
from train.datasets.audio_files import AudioFileDataset, keep_validation
from train.datasets.clips import SPLITS, Clip, Split
from train.datasets.labels import INSTRUMENTS
from train.datasets.medley_files import read_official_clips
from train.datasets.splits import divide_recordings, seeded_order

Division = Literal["official", "study"]

STUDY_CLIPS: Final[dict[Split, int]] = {"training": 367, "validation": 362}
"""The study's clips of an instrument: for four instruments 1468 to train and 1448 to validate (it names 1446)."""

# Where an instrument has few clips, 15 % of them stay for the test.
_STUDY_SHARES: Final = (0.425, 0.425, 0.15)


def read_medley(
    home: Path,
    instruments: Sequence[str] = INSTRUMENTS,
    *,
    division: Division = "official",
    cap: int | None = None,
    balanced: bool = False,
    seed: int = 0,
) -> AudioFileDataset:
    """Read Medley-solos-DB as mirdata lays it out; a recording is a track.

    The division ``study`` mixes the official splits: of each instrument up to 367 clips train and 362 validate, drawn
    by track; about 42.5 % each where it has too few for a test besides. Tracks of which no clip is drawn are the test.
    Of the last track that is drawn, clips beyond these numbers are left out, so that no track is on two sides.

    Parameters
    ----------
    home : Path
        Folder with ``annotation/`` and ``audio/``, and mirdata's index where that is not in mirdata itself.
    instruments : sequence of str
        Two or more of `train.datasets.labels.INSTRUMENTS`, in any order.
    division : str
        ``official``: the published splits. ``study``: see above.
    cap : int, optional
        Most clips to take of an instrument in each split.
    balanced : bool
        Take as many clips of each instrument as there are of the scarcest one in the same split.
    seed : int
        Draws the tracks of ``study``, and the clips that `cap` and `balanced` leave.

    Returns
    -------
    AudioFileDataset
        Labels in the data set's order, which is by name.

    Raises
    ------
    ConfigError
        If the instruments, the division or the cap are none that there are.
    SourceError
        If index, table or audio are not there, or do not belong together.
    """
    if unknown := sorted(set(instruments).difference(INSTRUMENTS)):
        raise ConfigError(f"no instrument {', '.join(unknown)} in Medley-solos-DB: it has {', '.join(INSTRUMENTS)}")
    labels = tuple(label for label in INSTRUMENTS if label in instruments)
    if len(labels) < 2:
        raise ConfigError(f"expected two or more instruments, got {' '.join(labels) or 'none'}")
    if division not in ("official", "study"):
        raise ConfigError(f"division {division!r}: expected official or study")
    if cap is not None and cap < 1:
        raise ConfigError(f"cap {cap}: expected one clip or more")
    clips = [clip for clip in read_official_clips(home) if clip.label in labels]
    if division == "study":
        clips = _divide_as_study(clips, seed)
    return AudioFileDataset(
        f"Medley-solos-DB, {division} splits", labels, keep_validation(_capped(clips, cap, balanced, seed))
    )


def _divide_as_study(clips: Sequence[Clip], seed: int) -> list[Clip]:
    tracks: defaultdict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        tracks[clip.recording].append(clip)
    counts = {track: Counter(clip.label for clip in held) for track, held in tracks.items()}
    sides = divide_recordings(counts, seed=seed, shares=_STUDY_SHARES)
    room = {(label, split): most for label in {clip.label for clip in clips} for split, most in STUDY_CLIPS.items()}
    drawn = []
    for track in seeded_order(tracks, seed):
        place = (tracks[track][0].label, sides[track])
        if room.get(place):
            taken = _draw(tracks[track], room[place], seed)
            room[place] -= len(taken)
            drawn += [replace(clip, split=sides[track]) for clip in taken]
        else:
            drawn += [replace(clip, split=SPLITS[2]) for clip in tracks[track]]
    return drawn


def _capped(clips: Sequence[Clip], cap: int | None, balanced: bool, seed: int) -> list[Clip]:
    groups: defaultdict[tuple[Split, str], list[Clip]] = defaultdict(list)
    for clip in clips:
        groups[clip.split, clip.label].append(clip)
    most = dict.fromkeys(SPLITS, len(clips) if cap is None else cap)
    if balanced:
        for (split, _), held in groups.items():
            most[split] = min(most[split], len(held))
    return [clip for (split, _), held in sorted(groups.items()) for clip in _draw(held, most[split], seed)]


def _draw(clips: Sequence[Clip], most: int, seed: int) -> list[Clip]:
    """Clips drawn by chance, whatever order they come in."""
    by_name = {str(clip.path and clip.path.name): clip for clip in clips}
    return [by_name[name] for name in seeded_order(by_name, seed)[:most]]
