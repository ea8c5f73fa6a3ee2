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
        """Frames of the newest window in dB, oldest first; a view that holds until the next call of `features`."""

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


MEL_129: Final = FrontEndKind("mel-129", mel.PARAMETERS, (mel.N_MELS, mel.FRAMES), mel.CHANNELS, mel.StreamingMel)
"""That of all models of format 1: librosa's dB mel spectrogram at 22 050 Hz."""
NAMES: Final = (MEL_129.name,)
"""Of all front ends."""


def find(name: str) -> FrontEndKind:
    """Return the front end of a name out of `NAMES`."""
    if name == MEL_129.name:
        return MEL_129
    raise ValueError(f"front end is {name!r}; expected {' or '.join(NAMES)}")
