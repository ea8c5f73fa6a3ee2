#!/usr/bin/env bash
# Of three microphones in one Vorbis, Opus or ALAC file, the second is another one for FFmpeg than for libsndfile.
#
# Meets:     files with more than two channels that libsndfile wrote, read by FFmpeg (PyAV)
# Expected:  Channel 2 is channel 2, as in WAV, FLAC and AIFF, where both agree for 3 to 6 channels.
# Happens:   Vorbis and Opus say that three channels are left, centre, right, and ALAC that they are centre, left,
#            right. FFmpeg knows that and hands out left, right, centre. libsndfile writes and reads them as they come,
#            so that all looks well as long as one library does both. Who chooses a channel by its number hears another
#            microphone after a change of the reader, without an error.
# Seen with: soundfile 0.14.0 (libsndfile 1.2.2), av 18.1.0, Python 3.11.7
# Known:     https://github.com/libsndfile/libsndfile/pull/797 says that libsndfile does not reorder channels, and
#            https://github.com/vgmstream/vgmstream/issues/1274 is the same between SoX and another reader.
# Output:    channels of FFmpeg, by the number that they were written as and libsndfile reads them as:
#            FLAC: 1 2 3, and 1 2 3 4 5
#            Vorbis: 1 3 2, and 1 3 2 4 5
#            Opus: 1 3 2, and 1 3 2 4 5
#            ALAC: 2 3 1, and 2 3 1 4 5
#            as seen: FFmpeg puts the channels of Vorbis, Opus and ALAC into another order
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check soundfile==0.14.0 av==18.1.0 numpy==2.4.6

cat > "$folder/order.py" <<'PYTHON'
import io

import av
import numpy as np
import soundfile

RATE = 48_000
FORMATS = {"FLAC": ("FLAC", "PCM_16"), "Vorbis": ("OGG", "VORBIS"), "Opus": ("OGG", "OPUS"), "ALAC": ("CAF", "ALAC_16")}
EXPECTED = {"FLAC": "1 2 3, and 1 2 3 4 5", "Vorbis": "1 3 2, and 1 3 2 4 5", "Opus": "1 3 2, and 1 3 2 4 5",
            "ALAC": "2 3 1, and 2 3 1 4 5"}


def order(channels) -> str:
    """Tell channels by their tones: channel n was written with one of n times 300 Hz."""
    spectra = (np.abs(np.fft.rfft(channel[: RATE // 2])) for channel in channels)
    return " ".join(str(round(int(np.argmax(spectrum)) * 2 / 300)) for spectrum in spectra)


def by_ffmpeg(file):
    with av.open(file) as container:
        stream = container.streams.audio[0]
        blocks = (frame.to_ndarray() for frame in container.decode(stream))
        planes = [it if len(it) == stream.channels else it.reshape(-1, stream.channels).T for it in blocks]
    return np.concatenate(planes, axis=1)


print("channels of FFmpeg, by the number that they were written as and libsndfile reads them as:")
seen = {}
for name, (kind, subtype) in FORMATS.items():
    orders = []
    for number in (3, 5):
        tones = 0.3 * np.sin(2 * np.pi * 300 * np.outer(np.arange(RATE) / RATE, np.arange(1, number + 1)))
        file = io.BytesIO()
        soundfile.write(file, tones, RATE, format=kind, subtype=subtype)
        assert order(soundfile.read(io.BytesIO(file.getvalue()))[0].T) == " ".join(map(str, range(1, number + 1)))
        orders.append(order(by_ffmpeg(io.BytesIO(file.getvalue()))))
    seen[name] = ", and ".join(orders)
    print(f"{name}: {seen[name]}")
if seen == EXPECTED:
    print("as seen: FFmpeg puts the channels of Vorbis, Opus and ALAC into another order")
else:
    raise SystemExit(f"changed: expected {EXPECTED}, saw {seen}")
PYTHON
"$folder/venv/bin/python" "$folder/order.py"
