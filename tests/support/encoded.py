"""Audio files as programs write them: other formats, and those that were never finished."""

from __future__ import annotations

import io
import struct
from fractions import Fraction

import numpy as np
import soundfile

RATE = 44_100


def tones(seconds: float, rate: int = RATE, channels: int = 1, hertz: float = 440.0) -> np.ndarray:
    """A melody whose every tenth of a second is another one, so that none can be lost unseen."""
    time = np.arange(round(seconds * rate)) / rate
    pitch = hertz * 2 ** (np.floor(10 * time) % 12 / 12)
    sound = 0.4 * np.sin(2 * np.pi * np.cumsum(pitch) / rate)
    return np.repeat(sound[:, None], channels, axis=1).astype(np.float32)


def encoded(sound: np.ndarray, form: str, subtype: str | None = None, rate: int = RATE) -> bytes:
    """A file by libsndfile; VBR is an MP3 of variable bit rate."""
    file = io.BytesIO()
    options = {"format": "MP3", "bitrate_mode": "VARIABLE", "compression_level": 0.5} if form == "VBR" else {}
    soundfile.write(file, sound, rate, subtype=subtype, **({"format": form} | options))
    return file.getvalue()


def without_xing(content: bytes) -> bytes:
    """An MP3 without the frame that says how long it is."""
    at = content.index(b"Xing" if b"Xing" in content[:200] else b"Info")
    start = content.rindex(b"\xff", 0, at - 8)
    following = content.index(content[start : start + 2], at)
    return content[:start] + content[following:]


def chunked(sound: np.ndarray, size: int | None = None, before: bytes = b"", after: bytes = b"") -> bytes:
    """A WAV file of 16 bits with any size in its header, and chunks around its audio."""
    data = (sound * 32767).astype("<i2").tobytes()
    claimed = len(data) if size is None else size
    channels = sound.shape[1]
    form = struct.pack("<HHIIHH", 1, channels, RATE, RATE * 2 * channels, 2 * channels, 16)
    head = b"RIFF" + struct.pack("<I", min(claimed + 36 + len(before), 0xFFFFFFFF)) + b"WAVE"
    return head + b"fmt " + struct.pack("<I", 16) + form + before + b"data" + struct.pack("<I", claimed) + data + after


def by_ffmpeg(
    sounds: list[np.ndarray], container: str, codec: str, rate: int = RATE, picture: bool = False, **options: str
) -> bytes:
    """A file by FFmpeg, with a stream for each sound and perhaps a picture in front."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format=container, options=options) as output:
        if picture:
            video = output.add_stream("mpeg4", rate=10)
            video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        streams = [
            output.add_stream(codec, rate=rate, layout="mono" if sound.shape[1] == 1 else "stereo") for sound in sounds
        ]
        if picture:
            for n in range(5):
                frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 40 * n, np.uint8), format="rgb24")
                frame.pts = n
                output.mux(video.encode(frame))
            output.mux(video.encode(None))
        for stream, sound in zip(streams, sounds, strict=True):
            planes = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(sound.T), format="fltp", layout="mono" if sound.shape[1] == 1 else "stereo"
            )
            planes.sample_rate, planes.pts, planes.time_base = rate, 0, Fraction(1, rate)
            fitted = av.AudioResampler(stream.format, stream.layout, stream.rate, stream.frame_size or None)
            for piece in [*fitted.resample(planes), *fitted.resample(None)]:
                output.mux(stream.encode(piece))
            output.mux(stream.encode(None))
    return file.getvalue()
