"""From a player to a file: the room and the microphone, then the mixing desk, noise, feedback and codec."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream.recognition.mel import WINDOW
from train.compose import effects
from train.compose.decoded_recordings import DecodedRecordings
from train.compose.effects import level

Array = npt.NDArray[np.float32]
Rng = np.random.Generator


@dataclass(frozen=True)
class RecordingChain:
    """What happens to all that sounds, drawn anew for each clip."""

    decoded: DecodedRecordings
    rooms: range
    """Which of the recordings are impulse responses."""
    ingredients: Set[str]
    """What may happen, of `composer.INGREDIENTS`."""

    def place(self, sound: Array, rng: Rng) -> Array:
        """Put a player into a room, or keep them dry, before a microphone."""
        draw = rng.random()
        if draw < 0.4 and len(self.rooms) and "rooms" in self.ingredients:
            sound = effects.room(sound, self.decoded.audio(self.rooms[rng.integers(len(self.rooms))]), rng)
        elif 0.4 <= draw < 0.75 and "halls" in self.ingredients:
            sound = effects.room(sound, effects.hall(rng) if rng.random() < 0.7 else None, rng)
        if "microphone" in self.ingredients and rng.random() < 0.4:
            sound = effects.microphone_response(sound, rng)
        return sound

    def record(self, sound: Array, rng: Rng) -> Array:
        """Take what sounds in the room through the chain of a recording, or of a concert.

        Returns
        -------
        np.ndarray [shape=(65536,), dtype=float32]
            Mono audio at 22 050 Hz, within [-1, 1].
        """
        if "desk" in self.ingredients:
            sound = effects.mixing_desk(sound, rng)
        if "noise" in self.ingredients and rng.random() < 0.85:
            sound = level(sound, 1.0) + effects.noise(rng) * np.float32(10 ** (-rng.triangular(25, 70, 90) / 20))
        if "feedback" in self.ingredients and rng.random() < 0.08:
            sound = effects.feedback(sound, rng)
        if "codec" in self.ingredients and rng.random() < 0.25:
            sound = effects.codec(sound, rng)
        peak = max(float(np.abs(sound).max()), 1e-6)
        sound = sound / np.float32(peak) * np.float32(10 ** (-rng.uniform(0, 30) / 20))
        if rng.random() < 0.05:
            sound = sound.clip(-0.6, 0.6)
        return np.asarray(sound[:WINDOW], np.float32)
