"""What card and report tell of a run in words: its clips, how it was fitted, and what its figures are of."""

from __future__ import annotations

from typing import Final

from train.data_settings import DataSettings
from train.evaluation.real_clips import describe_looks, original_pack
from train.fitting.augmentation import AUGMENTATIONS
from train.fitting.schedule import History, Schedule, best_epoch

COMPOSED: Final = """The clips were composed of openly licensed recordings of single notes, phrases, voices, drums and
noise, as if cut out of songs. One instrument is in front and plays a melody in a key of its own, chords, riffs or a
piano's two hands, as it is played: slurred and detached, louder and softer, with vibrato, trills, glides, bends,
scoops, falls, double stops, tremolo, growls, breaths and rests, with entries and endings inside the clip; or it is an
extract of real playing. No note is transposed by more than 3 semitones. Clean guitars go through modelled pedals,
valves and loudspeakers, and are most of the distorted ones; winds are in part blown harder than in sample libraries;
alto, soprano and baritone saxophones count as tenor saxophone. Half of the clips have other players behind or leaking
in, 4 to 50 dB below. Everybody stands in a measured room, an artificial hall or none, some before a modelled
microphone; then come equalizers and compressors, noise and hum, feedback of a loudspeaker, and MP3 or Vorbis. `unknown`
is made of drums, basses, whole bands, other instruments, men's voices, speech, crowds and noise, in the same rooms and
by the same chain."""
"""How clips of the pack come about, for the card of a model that was learned from them."""

HELD_BACK: Final = """The clips that epoch, temperature and thresholds were chosen on are composed of sources that no
training clip contains."""
"""What is true where the held-out sources were held out."""


def describe_figures(data: DataSettings, looks: int, *, twin: bool) -> list[str]:
    """Say what the figures are of, in paragraphs.

    Parameters
    ----------
    data : DataSettings
        What the run was trained on.
    looks : int
        How often the pack's real clips were looked at by now; 0 where they were not for this.
    twin : bool
        Whether some figures are those of a network that was trained without the held-out sources.
    """
    if data.kind != "composed":
        return []
    told = []
    if twin:
        told.append(
            "This network went on from its twin's weights and learned from all sources; it is a weighted mean of both. "
            "What can only be measured on sources that were not learned from was measured with the twin; its "
            "temperature and thresholds are the twin's, too. Only `validation` and the agreement of int8 and float are "
            "this network's own figures."
        )
    told.append(describe_looks(looks) if looks else "The real clips of `validation` were not looked at for this card.")
    return told


def describe_clips(data: DataSettings) -> str:
    """Tell how the clips came about."""
    if data.kind != "composed":
        return ""
    told = [COMPOSED]
    if original_pack(data.path) != data.path:
        told.append("Notes that the pack has few of were rendered from free sound fonts with FluidSynth first.")
    if not data.all_sources:
        told.append(HELD_BACK)
    return "\n".join(told)


def describe_fitting(schedule: Schedule, epochs: History, start: str = "") -> str:
    """Tell how the network was fitted, and from the weights of which bundle."""
    begun = f"The network began with the weights of `{start}`, whose last layer was drawn anew. " if start else ""
    told = [
        f"It was fitted with AdamW for {len(epochs)} epochs, of which number {best_epoch(epochs)} is kept, in batches "
        f"of {schedule.batch}, with a learning rate of {schedule.rate:g} that falls to 0 along a cosine"
    ]
    if schedule.smoothing:
        told.append(f"label smoothing {schedule.smoothing:g}")
    if schedule.average:
        told.append(f"weights averaged from step to step with a decay of {schedule.average:g}")
    used = [name for name in AUGMENTATIONS if name not in schedule.without]
    told.append(f"augmentation by {', '.join(used)}" if schedule.augmented and used else "no augmentation")
    if schedule.handovers:
        told.append(f"another player at the beginning of {100 * schedule.handovers:g} % of the clips")
    return begun + "; ".join(told) + "."
