"""Measure what libsndfile and FFmpeg make of the same files: seconds of audio, how equal the samples are, and speed.

The files are made by the program ffmpeg from the demo: what recorders, web radios and telephones write, whole and
odd. Prints the table of docs/performance.md. The difference is the largest between a sample that Soloist reads and
the same one by FFmpeg alone, up to the end of the first recording: behind a joint FFmpeg adds some.

    .venv/bin/python -m tools.measure_formats
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from stream.audio import libsndfile, pyav
from stream.audio.audio_file import UNREADABLE, AudioFile, Part
from stream.audio.sound_file import demo_path, open_sound_file
from stream.errors import SourceError
from stream.recognition.mel import Array

_MADE: Final = {
    "WAV": "-c:a pcm_s16le wav",
    "FLAC": "flac",
    "Ogg Vorbis": "ogg",
    "Opus": "-c:a libopus opus",
    "MP3, 128 kbit/s": "-b:a 128k mp3",
    "MP3 of variable bit rate": "-q:a 5 mp3",
    "the same without a Xing header": "-q:a 5 -write_xing 0 mp3",
    "FLAC from a pipe": "flac",
    "WAV from a pipe": "wav",
    "m4a": "m4a",
    "aac": "aac",
    "ALAC": "-c:a alac m4a",
    "webm": "webm",
    "wma": "wma",
}
"""What ffmpeg is told, and the ending."""
_TWICE: Final = ("FLAC", "Ogg Vorbis", "Opus", "MP3 of variable bit rate", "the same without a Xing header")


def main() -> None:
    """Make the files, read each in three ways, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    write = sys.stdout.write
    write("| file | libsndfile alone | FFmpeg alone | Soloist | largest difference |\n")
    write("| --- | ---: | ---: | ---: | ---: |\n")
    with tempfile.TemporaryDirectory() as folder:
        for name, path in _files(Path(folder)):
            ways: list[Callable[[Path], AudioFile]] = [_by_soundfile, _by_ffmpeg, open_sound_file]
            (_, alone), (other, ffmpeg), (sound, soloist) = (_measured(way, path) for way in ways)
            write(f"| {name} | {alone} | {ffmpeg} | {soloist} | {_difference(sound, other)} |\n")
            sys.stdout.flush()


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    made = {}
    for number, (name, options) in enumerate(_MADE.items()):
        *words, ending = options.split()
        path = folder / f"{number}.{ending}"
        with demo_path() as demo:
            command = ["ffmpeg", "-v", "error", "-i", str(demo), *words]
            if "pipe" in name:
                done = subprocess.run([*command, "-f", ending, "-"], check=True, stdout=subprocess.PIPE)
                path.write_bytes(done.stdout)
            else:
                subprocess.run([*command, str(path)], check=True)
        made[name] = path
        yield name, path
    for name in _TWICE:
        path = folder / f"twice{made[name].suffix}"
        path.write_bytes(2 * made[name].read_bytes())
        yield f"{name}, twice in a file", path


def _by_soundfile(path: Path) -> AudioFile:
    """Open a file as libsndfile itself takes it."""

    def parts() -> Generator[Part]:
        yield libsndfile.LibsndfilePart(os.open(path, os.O_RDONLY))

    return AudioFile(str(path), parts)


def _by_ffmpeg(path: Path) -> AudioFile:
    """Open a file as FFmpeg itself takes it."""

    def parts() -> Generator[Part]:
        yield pyav.PyavPart(path.open("rb"))

    return AudioFile(str(path), parts)


def _measured(open_file: Callable[[Path], AudioFile], path: Path) -> tuple[Array | None, str]:
    """Read a file, and tell how long it is and how many seconds of it a second of the processor reads."""
    begun = time.process_time()
    try:
        with open_file(path) as file:
            blocks = [file.read(file.rate)]
            while len(blocks[-1]):
                blocks.append(file.read(file.rate))
            sound, seconds = np.concatenate(blocks), file.seconds_read
    except (SourceError, *UNREADABLE):
        return None, "no"
    return sound, f"{seconds:.2f} s, {seconds / (time.process_time() - begun):.0f} x"


def _difference(sound: Array | None, other: Array | None) -> str:
    """Tell how far what Soloist reads is from what FFmpeg alone reads, in the first recording."""
    if sound is None or other is None:
        return ""
    count = min(len(sound), len(other), 79 * 44_100)
    return f"{np.abs(sound[:count] - other[:count]).max():.6f}"


if __name__ == "__main__":
    main()
