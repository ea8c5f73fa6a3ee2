"""What audio format bytes are the beginning of."""

from __future__ import annotations

from typing import Final

HEAD_BYTES: Final = 4608
"""As many bytes as `file_kind` may need: three of the longest MP3 frames."""
RADIO_BYTES: Final = 8192
"""As many as `find_frames` may need."""

_MAGIC: Final = {
    b"fLaC": "flac",
    b"OggS": "ogg",
    b"FORM????AIFF": "aiff",
    b"FORM????AIFC": "aiff",
    b"RIFF????WAVE": "wav",
    b"RIFX????WAVE": "wav",
    b"RF64????WAVE": "wav",
    b"BW64????WAVE": "wav",
    b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb": "w64",
    b".snd\0\0": "au",
    b"caff\0\1": "caf",
    b"????ftyp": "mp4",
    b"????moov": "mp4",
    b"????mdat": "mp4",
    b"????wide": "mp4",
    b"\x1a\x45\xdf\xa3": "matroska",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "asf",
}
"""Formats by their first bytes; question marks are any."""
_BITRATES: Final = {
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""kbit/s by MPEG version and layer, for the indices from 1; ISO 11172-3 and 13818-3."""
_RATES: Final = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_FRAMES: Final = 3  # that have to follow each other, for two bytes may be any audio


def file_kind(head: bytes) -> str | None:
    """Tell a format by its first bytes, behind tags.

    Parameters
    ----------
    head : bytes
        `HEAD_BYTES` of them, or all there are.

    Returns
    -------
    str or None
        One of flac, ogg, aiff, wav, w64, au, caf, mp4, matroska, asf, mp3, aac.
    """
    for pattern, kind in _MAGIC.items():
        if len(head) >= len(pattern) and _matches(head, pattern):
            return kind
    return _frames_kind(head)


def may_hold_frames(head: bytes) -> bool:
    """Whether more bytes are needed to tell whether frames follow each other somewhere in these."""
    at = head.find(b"\xff") if len(head) < RADIO_BYTES else -1
    while at >= 0 and not (mp3_frame_bytes(head[at : at + 6]) or _aac_frame_bytes(head[at : at + 6])):
        at = head.find(b"\xff", at + 1)
    return at >= 0


def find_frames(head: bytes) -> tuple[int, str] | None:
    """Find where MP3 or ADTS frames begin in the middle of which a web radio has begun to send.

    Returns
    -------
    tuple of int and str, or None
        Offset of the first whole frame, and the format.
    """
    at = head.find(b"\xff")
    while at >= 0:
        if len(head) - at > 6 and (kind := _frames_kind(head[at:], _FRAMES + 1)) is not None:
            return at, kind
        at = head.find(b"\xff", at + 1)
    return None


def _frames_kind(head: bytes, expected: int = 0) -> str | None:
    """Tell a format by frames that follow each other: `expected`, or where that is 0 fewer at the end of a file."""
    for kind, length_of in (("mp3", mp3_frame_bytes), ("aac", _aac_frame_bytes)):
        at = frames = 0
        while frames < (expected or _FRAMES) and (length := length_of(head[at : at + 6])):
            at, frames = at + length, frames + 1
            if at >= len(head):
                break
        if frames == (expected or _FRAMES) or (not expected and frames and at == len(head)):
            return kind
    return None


def may_be_file(head: bytes) -> bool:
    """Whether more bytes are needed to tell whether these are the beginning of a file."""
    if len(head) >= HEAD_BYTES:
        return False
    if any(len(head) < len(pattern) and _matches(head, pattern) for pattern in _MAGIC):
        return True
    return head[:1] == b"\xff" and (len(head) < 6 or bool(mp3_frame_bytes(head) or _aac_frame_bytes(head)))


def begins_with_index(head: bytes) -> bool:
    """Whether an MP4 file has its index in front of the audio, so that it can be read without going back.

    Parameters
    ----------
    head : bytes
        The first bytes of the file.
    """
    at = 0
    while len(head) >= at + 8:
        length, name = int.from_bytes(head[at : at + 4]), head[at + 4 : at + 8]
        if name in (b"moov", b"mdat") or length < 8:
            return name == b"moov"
        at += length
    return False


def id3_bytes(head: bytes) -> int:
    """Length of the ID3 tag that begins here, 0 where there is none."""
    if len(head) < 10 or head[:3] != b"ID3" or head[3] == 0xFF or max(head[6:10]) > 0x7F:
        return 0
    footer = 10 if head[5] & 0x10 else 0
    return 10 + footer + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])


def _matches(head: bytes, pattern: bytes) -> bool:
    """Whether bytes are those of a pattern, as far as both go."""
    return all(expected in (byte, ord("?")) for byte, expected in zip(head, pattern, strict=False))


def mp3_frame_bytes(head: bytes) -> int:
    """Length of the MPEG audio frame that begins here, 0 where there is none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0
    version, layer, bitrate, rate = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3), head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer in (1, 4) or not 0 < bitrate < 15 or rate == 3:
        return 0
    first = 1 if version == 3 else 2
    samples = 576 if (first, layer) == (2, 3) else 1152
    return samples // 8 * 1000 * _BITRATES[first, layer][bitrate - 1] // _RATES[version][rate] + (head[2] >> 1 & 1)


def _aac_frame_bytes(head: bytes) -> int:
    """Length of the ADTS frame that begins here, 0 where there is none."""
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12:
        return 0
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length > 7 else 0
