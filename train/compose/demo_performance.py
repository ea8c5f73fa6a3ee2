"""The demo's players: from the written tune to MIDI tracks with timing and touch."""

from __future__ import annotations

import itertools

import numpy as np

from train.compose.demo_tune import (
    BASS,
    BASS_PROGRAM,
    BEAT,
    BRUSH_PROGRAM,
    BRUSHES,
    CHORDS,
    FILL,
    PAD_PROGRAM,
    PIECE,
    PLUCK_PROGRAM,
    PLUCKS,
    Note,
    Passage,
    Player,
    midi_pitch,
    parse_voice,
)
from train.compose.fluidsynth import MidiTrack


def expression(track: MidiTrack, player: Player, note: Note, start: float, seconds: float) -> None:
    """Give a note its life between attack and end: bend or scoop, late vibrato, swell."""
    times = np.arange(0, seconds, 0.01)
    depth = player.vibrato * np.clip((times - 0.25) / 0.35, 0, 1) * np.clip((seconds - times) / 0.08, 0, 1)
    cents = depth * np.sin(2 * np.pi * player.vibrato_hz * np.maximum(times - 0.25, 0))
    if "/" in note.marks:
        cents -= 100 * np.clip(1 - times / 0.09, 0, 1)
    elif "^" in note.marks:
        cents -= 200 * np.clip(1 - times / (0.3 * seconds), 0, 1) ** 0.7
    if len(note.pitches) == 1 and player.vibrato:
        for time, value in zip(times, cents, strict=True):
            track.bend(start + time, value)
    if player.swell:
        # Short notes sit at their height, long ones breathe: up in the first half, a little back at the end.
        shape = np.sin(np.pi * np.clip(times / seconds * 0.8, 0, 1)) if seconds > 0.5 else np.full_like(times, 0.7)
        lift = player.onset * np.clip(times / 0.28, 0, 1)
        for time, value in zip(times[::2], (127 - lift - player.swell * (1 - shape))[::2], strict=True):
            track.control(start + time, 11, value)


def perform(passage: Passage, player: Player, rng: np.random.Generator) -> MidiTrack:
    """Play a passage's solo: timing and touch of a person, from a seeded generator."""
    track = MidiTrack(player.program)
    for hand, voice in enumerate(passage.voices):
        line = parse_voice(voice)
        for i, note in enumerate(line):
            start = note.start * BEAT + (rng.uniform(0.0, 0.012) if note.start % 4 else 0.0)
            seconds = note.beats * BEAT * (0.55 if "'" in note.marks else player.gate)
            velocity = player.velocity + rng.uniform(-5, 5) + (4 if note.start % 2 == 0 else 0) - 16 * hand
            velocity += 14 if ">" in note.marks else 0
            # A key must be up before it is struck again, or its release would cut the new note.
            again = next((later.start for later in line[i + 1 :] if set(later.pitches) & set(note.pitches)), np.inf)
            seconds = min(seconds, again * BEAT - 0.02 - start)
            expression(track, player, note, start, seconds)
            for string, key in enumerate(note.pitches):
                track.note(start + 0.006 * string, start + seconds, key, velocity - (6 if string else 0))
    for half in range(2 * len(passage.chords.split()) if player.pedal else 0):
        track.control(half * 2 * BEAT + 0.05, 64, 127)
        track.control((half + 1) * 2 * BEAT - 0.02, 64, 0)
    return track


def accompany(rng: np.random.Generator) -> list[MidiTrack]:
    """Play the whole piece's accompaniment: bass, plucked guitar, pad and brushes."""
    bass, pluck, pad = MidiTrack(BASS_PROGRAM, 0), MidiTrack(PLUCK_PROGRAM, 1), MidiTrack(PAD_PROGRAM, 2)
    drums = MidiTrack(BRUSH_PROGRAM, 9)
    bass.control(0, 7, 88)
    pluck.control(0, 7, 84)
    pad.control(0, 7, 72)
    bars = [(passage, name) for passage in PIECE for name in passage.chords.split()]
    for bar, (passage, name) in enumerate(bars):
        at = 4 * bar * BEAT
        root, voicing = midi_pitch(CHORDS[name][0]), [midi_pitch(p) for p in CHORDS[name][1].split()]
        for key in voicing:
            pad.note(at, at + 3.95 * BEAT, key, 70)
        fill = passage.label == "unknown" and passage is not bars[min(bar + 1, len(bars) - 1)][0]
        kit = BRUSHES[:3] + FILL if fill else BRUSHES
        last = bar == len(bars) - 1
        if last:  # the band ends on one, together with the soloist's last note
            bass.note(at, at + 3.5 * BEAT, root, 92)
            drums.note(at, at + 1, 36, 96)
            drums.note(at, at + 1, 49, 60)
            for i, key in enumerate(voicing):
                pluck.note(at + 0.03 * i, at + 3.5 * BEAT, key, 78)
            continue
        for beat, step, beats in BASS if "bass" not in passage.rests else ():
            # Up a fifth or an octave only where that stays a bass note.
            key = root + step if root + step < midi_pitch("D3") else root
            bass.note(at + beat * BEAT, at + (beat + beats) * BEAT, key, 86 + rng.uniform(-6, 6))
        for beat, key in itertools.product(PLUCKS, voicing) if "guitar" not in passage.rests else ():
            spread = 0.008 * voicing.index(key) + rng.uniform(0, 0.006)
            pluck.note(at + beat * BEAT + spread, at + (beat + 0.4) * BEAT, key, 66 + rng.uniform(-8, 8))
        for key, velocity, strokes in kit:
            for beat in strokes:
                time = at + beat * BEAT + rng.uniform(0, 0.006)
                drums.note(time, time + 0.2, key, velocity + rng.uniform(-6, 6))
    return [bass, pluck, pad, drums]
