"""How long the audio of a file is, where its header says less than there is."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

UNKNOWN_BYTES: Final = (range(0x7FFF_0000, 0x8000_0001), range(0xFFFF_0000, 0x1_0000_0000))
"""What programs write that do not know the length, because they write into a pipe or were killed."""
_MAX_CHUNKS: Final = 10_000
_KNOWN_CHUNKS: Final = frozenset(
    b"LIST,id3 ,ID3 ,bext,iXML,axml,cue ,smpl,inst,JUNK,PAD ,FLLR,fact,_PMX,afsp,acid,PEAK,MARK,COMT,ANNO,NAME,AUTH,"
    b"(c) ,APPL,levl,minf,elm1,regn,umid,DISP,strc,chna,INST,MIDI".split(b",")
)
"""What may be cut off behind the audio and is none all the same."""
_TAGS: Final = (b"ID3", b"TAG", b"APETAGEX", b"LYRICS")

_WAV_CODINGS: Final = {1: "PCM", 3: "FLOAT", 6: "ALAW", 7: "ULAW"}
_AIFF_CODINGS: Final = {
    b"": ("PCM", "BIG"), b"NONE": ("PCM", "BIG"), b"twos": ("PCM", "BIG"), b"sowt": ("PCM", "LITTLE"),
    b"fl32": ("FLOAT", "BIG"), b"FL32": ("FLOAT", "BIG"), b"fl64": ("FLOAT", "BIG"), b"FL64": ("FLOAT", "BIG"),
    b"in24": ("PCM", "BIG"), b"in32": ("PCM", "BIG"),
}  # fmt: skip
_AU_CODINGS: Final = {
    1: ("ULAW", 1), 2: ("PCM", 1), 3: ("PCM", 2), 4: ("PCM", 3), 5: ("PCM", 4), 6: ("FLOAT", 4), 7: ("FLOAT", 8),
    27: ("ALAW", 1),
}  # fmt: skip
_SUBTYPES: Final = {
    ("PCM", 1): "PCM_S8", ("PCM", 2): "PCM_16", ("PCM", 3): "PCM_24", ("PCM", 4): "PCM_32",
    ("FLOAT", 4): "FLOAT", ("FLOAT", 8): "DOUBLE", ("ALAW", 1): "ALAW", ("ULAW", 1): "ULAW",
}  # fmt: skip
"""By coding and bytes of a sample."""

Reader = Callable[[int, int], bytes]
"""Takes an offset and a number of bytes, and returns at most so many."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Where the audio lies in a file."""

    start: int
    """In bytes."""
    declared: int
    """Bytes by the header; 0xFFFFFFFF and the like where it does not know."""
    form: bytes
    """The contents of the chunk that describes the audio: ``fmt `` or ``COMM``."""

    @property
    def is_unknown(self) -> bool:
        """Whether the header does not say how long the audio is."""
        return not self.declared or any(self.declared in lengths for lengths in UNKNOWN_BYTES)

    def audio_bytes(self, read: Reader, size: int) -> int:
        """Return how many bytes of audio there are in a file of so many bytes.

        These are as many as the header says, unless what follows is no metadata: then the header was never brought up
        to date, or has no room for the number.
        """
        there = size - self.start
        if self.declared >= there or is_metadata(read, self.start + self.declared, size):
            return min(self.declared, there)
        return there


@dataclass(frozen=True, slots=True)
class _Layout:
    """How chunks are written."""

    first: int
    """Offset of the first chunk."""
    name: int
    """Bytes of a chunk's name."""
    number: str
    """Its length, for `struct`."""
    padding: int
    """What the length of a chunk is rounded up to."""
    includes_head: bool
    form: bytes
    data: bytes
    skipped: int = 0
    """Bytes of the chunk with the audio that come before it."""


_W64: Final = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
_LAYOUTS: Final = {
    b"RIFF": _Layout(12, 4, "<I", 2, False, b"fmt ", b"data"),
    b"RF64": _Layout(12, 4, "<I", 2, False, b"fmt ", b"data"),
    b"BW64": _Layout(12, 4, "<I", 2, False, b"fmt ", b"data"),
    b"FORM": _Layout(12, 4, ">I", 2, False, b"COMM", b"SSND", 8),
    b"riff": _Layout(40, 16, "<Q", 8, True, b"fmt " + _W64, b"data" + _W64),
}


def find_audio(read: Reader) -> Extent | None:
    """Find the audio of a WAV, RF64, Wave64, AIFF or AU file.

    Parameters
    ----------
    read : callable
        Reads from the file, or from its beginning.

    Returns
    -------
    Extent or None
        None where no audio is found.
    """
    if read(0, 4) == b".snd":
        start, declared = struct.unpack(">II", read(4, 8).ljust(8, b"\0"))
        return Extent(start, declared, read(12, 12))
    layout = _LAYOUTS.get(read(0, 4))
    if layout is None:
        return None
    at, form, long = layout.first, b"", 0
    head_bytes = layout.name + struct.calcsize(layout.number)
    for _ in range(_MAX_CHUNKS):
        head = read(at, head_bytes)
        if len(head) < head_bytes:
            return None
        name = head[: layout.name]
        length = int(struct.unpack(layout.number, head[layout.name :])[0]) - head_bytes * layout.includes_head
        at += head_bytes
        if name == layout.data:
            declared = long if long and length == 0xFFFF_FFFF else max(0, length - layout.skipped)
            return Extent(at + layout.skipped, declared, form) if form else None
        if name == layout.form:
            form = read(at, min(max(0, length), 64))
        elif name == b"ds64":
            long = int.from_bytes(read(at + 8, 8), "little")
        at += -(-max(0, length) // layout.padding) * layout.padding
    return None


@dataclass(frozen=True, slots=True)
class RawForm:
    """Form of uncompressed audio, for `soundfile.SoundFile`."""

    subtype: str
    endian: str
    rate: int
    channels: int
    frame_bytes: int


def raw_form(extent: Extent, kind: str) -> RawForm | None:
    """Read from a header what uncompressed audio follows.

    Parameters
    ----------
    extent : Extent
    kind : str
        ``aiff``, ``au``, or one of the others.

    Returns
    -------
    RawForm or None
        None where the audio is compressed, or the description is none.
    """
    form = extent.form
    if kind == "aiff" and len(form) >= 18:
        channels, _, bits = struct.unpack(">HIH", form[:8])
        exponent, mantissa = struct.unpack(">HQ", form[8:18])  # an 80 bit float
        rate = mantissa >> max(0, 16_446 - exponent) if exponent < 0x7FFF else 0
        coding, endian = _AIFF_CODINGS.get(form[18:22], (None, "BIG"))
        align = -(-bits // 8) * channels
    elif kind == "au" and len(form) >= 12:
        tag, rate, channels = struct.unpack(">III", form[:12])
        (coding, size), endian = _AU_CODINGS.get(tag, (None, 0)), "BIG"
        align = size * channels
    elif kind not in ("aiff", "au") and len(form) >= 16:
        tag, channels, rate, _, align, bits = struct.unpack("<HHIIHH", form[:16])
        coding, endian = _WAV_CODINGS.get(int.from_bytes(form[24:26], "little") if tag == 0xFFFE else tag), "LITTLE"
    else:
        return None
    size = align // max(1, channels)
    subtype = _SUBTYPES.get((coding or "", size))
    if subtype == "PCM_S8" and kind not in ("aiff", "au"):
        subtype = "PCM_U8"
    if subtype is None or not channels or align != size * channels:
        return None
    return RawForm(subtype, endian, rate, channels, align)


def following_wav(read: Reader, at: int) -> int | None:
    """Find the WAV file that begins behind the audio of another one and its metadata.

    Parameters
    ----------
    read : callable
    at : int
        Offset of the end of the audio.

    Returns
    -------
    int or None
        Its offset; None where there is none.
    """
    if read(at, 1) == b"\0":  # rounds the length of the chunk before it
        at += 1
    for _ in range(_MAX_CHUNKS):
        head = read(at, 12)
        if head[8:] == b"WAVE" and head[:4] in (b"RIFF", b"RF64", b"BW64"):
            return at
        elif head[:4] in _KNOWN_CHUNKS and len(head) >= 8:
            length = int.from_bytes(head[4:8], "little")
            at += 8 + length + length % 2
        else:
            return None
    return None


def is_metadata(read: Reader, start: int, end: int) -> bool:
    """Whether what follows the audio is chunks or tags."""
    return start >= end or any(_is_chunks(read, at, end) for at in (start, start + start % 2, start + 1))


def _is_chunks(read: Reader, at: int, end: int) -> bool:
    for _ in range(_MAX_CHUNKS):
        head = read(at, 8)
        if at + 8 > end or head.startswith(_TAGS):
            return True
        if not all(0x20 <= byte < 0x7F for byte in head[:4]):
            return False
        lengths = [at + 8 + int.from_bytes(head[4:], order) for order in ("little", "big")]
        ends = [length + length % 2 for length in lengths if length <= end]
        if not ends:
            return head[:4] in _KNOWN_CHUNKS
        at = min(ends)
    return False
