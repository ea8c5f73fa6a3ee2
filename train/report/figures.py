"""Drawings for a report, as SVG to stand in an HTML page: learning curves, calibration, spectrograms.

Colours are the page's CSS variables, so one drawing is readable on light and on dark ground. The same figures give the
same bytes.
"""

from __future__ import annotations

import base64
import functools
import html
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.ticker import MaxNLocator, PercentFormatter

from stream.recognition.mel import FRAMES, HOP_LENGTH, N_MELS, SAMPLE_RATE, mel_edges
from train.evaluation.clip_metrics import ReliabilityBin

# matplotlib has no variables: it draws in these colours, and they are replaced afterwards.
_TEXT, _LINE, _FIRST, _SECOND, _MUTED = "#010101", "#020202", "#030303", "#040404", "#050505"
_VARIABLES: Final = {
    _TEXT: "var(--text)",
    _LINE: "var(--line)",
    _FIRST: "var(--first)",
    _SECOND: "var(--second)",
    _MUTED: "var(--soft)",
}
_STYLE: Final[dict[Any, Any]] = {
    "axes.edgecolor": _LINE,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.labelcolor": _MUTED,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 9,
    "grid.color": _LINE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.labelcolor": _TEXT,
    "svg.fonttype": "none",  # text stays text, which can be found and read out
    "svg.hashsalt": "soloist",
    "text.color": _TEXT,
    "xtick.color": _MUTED,
    "xtick.major.width": 0.6,
    "ytick.color": _MUTED,
    "ytick.major.width": 0.6,
}
_HERTZ: Final = {250: "250", 500: "500", 1000: "1k", 2000: "2k", 4000: "4k", 8000: "8k"}
_COLOURS: Final = "magma"  # even steps of lightness, for every kind of colour vision and in grey


def learning_curve(history: Sequence[Mapping[str, float]], key: str, best: int, *, name: str, description: str) -> str:
    """Draw a figure of training and validation over the epochs.

    Parameters
    ----------
    history : sequence of mapping
        An entry for each epoch, as in `history.json`.
    key : str
        What to draw: the entries' key for training; that for validation has ``validation_`` before it.
    best : int
        Epoch to mark, from 1.
    name : str
        What the figure's identifiers begin with: different for each on a page.
    description : str
        What it shows, for those who do not see it.

    Returns
    -------
    str
        An ``svg`` element.
    """
    with mpl.rc_context(_STYLE):
        figure, axes = _axes(4.2, 2.7)
        epochs = [entry["epoch"] for entry in history]
        for side, colour, dash in ((key, _FIRST, "-"), (f"validation_{key}", _SECOND, (0, (4, 1.5)))):
            values = [entry.get(side, np.nan) for entry in history]
            axes.plot(epochs, values, color=colour, linestyle=dash, linewidth=1.8, label=side.partition("_")[0])
        axes.lines[0].set_label("training")
        axes.axvline(best, color=_MUTED, linewidth=1, linestyle=":", label=f"best epoch, {best}")
        chosen = [entry.get(f"validation_{key}", np.nan) for entry in history if entry["epoch"] == best]
        axes.plot([best] * len(chosen), chosen, "o", color=_SECOND, markersize=5)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        if key == "accuracy":
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.legend(loc="best", fontsize=8.5)
        return _svg(figure, name, description)


def reliability_diagram(bins: Sequence[ReliabilityBin], *, name: str, description: str) -> str:
    """Draw how often the most probable label is right, by its probability, and how many clips have that.

    Parameters
    ----------
    bins : sequence of ReliabilityBin
    name, description
        As for `curve`.

    Returns
    -------
    str
        An ``svg`` element.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure((3.6, 3.6), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        middles = [(b.low + b.high) / 2 for b in bins]
        widths = [0.92 * (b.high - b.low) for b in bins]
        upper.bar(middles, [b.accuracy for b in bins], widths, color=_FIRST, alpha=0.75, label="right")
        upper.plot([0, 1], [0, 1], color=_MUTED, linestyle="--", linewidth=1, label="as it should be")
        upper.plot([b.confidence for b in bins], [b.accuracy for b in bins], "o", color=_SECOND, markersize=4)
        upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="share that is right")
        upper.legend(loc="upper left", fontsize=8.5)
        total = max(1, sum(b.clips for b in bins))
        lower.bar(middles, [b.clips / total for b in bins], widths, color=_MUTED)
        lower.set(xlabel="probability of the best label", ylabel="clips")
        lower.yaxis.set_major_locator(MaxNLocator(2))
        for axis in (upper.xaxis, upper.yaxis, lower.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
        return _svg(figure, name, description)


def spectrogram(features: npt.NDArray[np.uint8], *, name: str, description: str) -> str:
    """Draw a clip as the network sees it.

    Parameters
    ----------
    features : np.ndarray [shape=(129, 129), dtype=uint8]
        Mel bands by frames, in steps of 80/255 dB above -80 dB.
    name, description
        As for `curve`.

    Returns
    -------
    str
        An ``svg`` element, bands with axes in Hz and seconds.
    """
    picture = io.BytesIO()
    imsave(picture, features, cmap=_COLOURS, vmin=0, vmax=255, format="png")
    encoded = base64.b64encode(picture.getvalue()).decode()
    drawing = re.sub(r"(?<=base64,)[^\"]*", encoded, _spectrogram_frame(), count=1)
    return _placed(drawing, name, description)


@functools.cache
def _spectrogram_frame() -> str:
    """Draw what is the same around every spectrogram, which takes matplotlib most of the time."""
    centres = mel_edges()[1:-1]
    with mpl.rc_context(_STYLE):
        figure, axes = _axes(2.7, 2.0)
        axes.grid(visible=False)
        # Frames are centred on their time, the first one on 0.
        half = HOP_LENGTH / SAMPLE_RATE / 2
        extent = (-half, (FRAMES - 1) * HOP_LENGTH / SAMPLE_RATE + half, -0.5, N_MELS - 0.5)
        axes.imshow(np.zeros((N_MELS, FRAMES)), origin="lower", aspect="auto", extent=extent, interpolation="none")
        axes.set_yticks(np.interp(list(_HERTZ), centres, np.arange(N_MELS)), list(_HERTZ.values()))
        axes.set_xticks([0, 1, 2])
        axes.set(xlabel="s", ylabel="Hz")
        axes.spines[:].set_visible(False)
        return _drawing(figure)


def shades() -> list[str]:
    """Colours of a spectrogram from the quietest to the loudest, as CSS takes them."""
    colours = mpl.colormaps[_COLOURS](np.linspace(0, 1, 9))
    return [f"rgb({', '.join(str(round(255 * part)) for part in colour[:3])})" for colour in colours]


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure((width, height), layout="constrained")
    return figure, figure.subplots()


def _svg(figure: Figure, name: str, description: str) -> str:
    """Turn a figure into an element that stands in a page beside others and follows its theme."""
    return _placed(_drawing(figure), name, description)


def _drawing(figure: Figure) -> str:
    """Draw a figure that follows a page's theme."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    drawing = buffer.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    for colour, variable in _VARIABLES.items():
        drawing = drawing.replace(colour, variable)
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    return re.sub(r"font-family: [^;]*; ", "", drawing)  # text takes the page's font


def _placed(drawing: str, name: str, description: str) -> str:
    """Turn a drawing into an element that stands in a page beside others."""
    drawing = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", drawing)
    box = re.search(r'viewBox="[^"]*"', drawing)
    opening = f'<svg {box[0] if box else ""} role="img" aria-label="{html.escape(description)}">'
    return re.sub(r"^<svg[^>]*>", lambda _: opening, drawing).replace("\n", "")
