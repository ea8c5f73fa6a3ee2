"""The front ends: what makes a model's input of audio, by the names that bundles give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from stream.recognition import mel
from stream.recognition.mel import Array


class FrontEnd(Protocol):
    """Features of one window of a stream after the other."""

    def features(self, window: Array, end: int) -> Array:
        """Features of the window that ends at a sample of the stream.

        Parameters
        ----------
        window : np.ndarray [shape=(65536,), dtype=float32]
            Mono audio at 22 050 Hz, finite. It is read, not kept.
        end : int
            Position in the stream of the sample after the window's last one.

        Returns
        -------
        np.ndarray [shape=(n_bands, n_frames), dtype=float32]
        """

    def newest(self) -> Array:
        """Frames that the last call of `features` added, in dB, oldest first, for a display [shape=(n, bands)]."""

    def frames(self) -> Array:
        """All frames of the newest window that `newest` would give after a start."""

    def reset(self) -> None:
        """Forget all frames: the next window shares none with the last."""


@dataclass(frozen=True, slots=True)
class FrontEndKind:
    """One of the front ends, before it is made."""

    name: str
    """What a bundle calls it."""
    parameters: Mapping[str, int | float | str]
    """What a bundle must name as its features to be served by it."""
    shape: tuple[int, int]
    """Bands and frames of a window's features."""
    channels: tuple[str, ...]
    """What a model may have as the channels of its input, the first of them first."""
    make: Callable[[], FrontEnd]
    has_frames: bool = False
    """Whether its features are made of the frames that `FrontEnd.frames` gives, so that these cost nothing."""


MEL_129: Final = FrontEndKind(
    "mel-129", mel.PARAMETERS, (mel.N_MELS, mel.FRAMES), mel.CHANNELS, mel.StreamingMel, has_frames=True
)
"""That of all models of format 1: librosa's dB mel spectrogram at 22 050 Hz."""
NAMES: Final = (MEL_129.name, "mel-128")
"""Of all front ends."""


def find(name: str) -> FrontEndKind:
    """Return the front end of a name out of `NAMES`. It is imported when it is asked for."""
    if name == MEL_129.name:
        return MEL_129
    if name == "mel-128":
        from stream.recognition import mel_128

        parameters = {key: value for key, value in mel_128.PARAMETERS.items() if key != "front_end"}
        return FrontEndKind(name, parameters, (mel_128.N_MELS, mel_128.FRAMES), ("mel",), mel_128.StreamingMel128)
    raise ValueError(f"front end is {name!r}; expected {' or '.join(NAMES)}")
