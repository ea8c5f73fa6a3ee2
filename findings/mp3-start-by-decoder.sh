#!/usr/bin/env bash
# One MP3 begins 50 ms later, and is longer, when pedalboard reads it.
#
# Meets:     an MP3 that libsndfile wrote, and three readers: libsndfile, FFmpeg (PyAV), pedalboard (JUCE)
# Expected:  The length and the beginning that were written, from all three: libsndfile writes a LAME header that says
#            how many samples the encoder put before and behind the sound.
# Happens:   libsndfile and FFmpeg take them off. pedalboard.io does not, and counts them in `frames` and `duration`:
#            all is 1105 samples late, 50 ms at 22.05 kHz, more than two frames of a mel spectrogram. Labels that were
#            made with one of them do not fit what the other reads. Vorbis and FLAC begin where they were written in all
#            three.
# Seen with: pedalboard 0.9.26, soundfile 0.14.0 (libsndfile 1.2.2), av 18.1.0, Python 3.11.7
# Known:     https://github.com/pytorch/audio/issues/1500 and https://github.com/MTG/essentia/issues/686 are the like of
#            other libraries; of pedalboard no report was found.
# Output:    MP3: 44223 samples were written; a click at 11025
#            soundfile: 44223 samples, click at 11025
#            FFmpeg: 44223 samples, click at 11025
#            pedalboard: 45504 samples, click at 12130
#            as seen: pedalboard is 1105 samples late, the others are exact
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
    pedalboard==0.9.26 soundfile==0.14.0 av==18.1.0 numpy==2.4.6

cat > "$folder/decoders.py" <<'PYTHON'
import io

import av
import numpy as np
import pedalboard.io
import soundfile

RATE, LENGTH, CLICK = 22_050, 44_223, 11_025
sound = np.zeros(LENGTH, np.float32)
burst = np.hanning(41) * np.cos(0.6 * np.arange(-20, 21))
sound[CLICK - 20 : CLICK + 21] = 0.8 * burst


def by_soundfile(file):
    return soundfile.read(file, dtype="float32")[0]


def by_ffmpeg(file):
    with av.open(file) as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(container.streams.audio[0])])


def by_pedalboard(file):
    with pedalboard.io.AudioFile(file) as reader:
        return reader.read(reader.frames)[0]


def begun(read, kind, subtype):
    """Length of what is read, and where the click is loudest."""
    file = io.BytesIO()
    soundfile.write(file, sound, RATE, format=kind, subtype=subtype)
    samples = read(io.BytesIO(file.getvalue()))
    return len(samples), CLICK - 2000 + int(np.argmax(np.correlate(samples[CLICK - 2020 : CLICK + 4020], burst)))


print(f"MP3: {LENGTH} samples were written; a click at {CLICK}")
found = {}
for name, read in (("soundfile", by_soundfile), ("FFmpeg", by_ffmpeg), ("pedalboard", by_pedalboard)):
    assert begun(read, "FLAC", "PCM_16")[1] == begun(read, "OGG", "VORBIS")[1] == CLICK
    length, click = found[name] = begun(read, "MP3", "MPEG_LAYER_III")
    print(f"{name}: {length} samples, click at {click}")
exact = (LENGTH, CLICK)
if found["soundfile"] == found["FFmpeg"] == exact and found["pedalboard"][1] == CLICK + 1105:
    print("as seen: pedalboard is 1105 samples late, the others are exact")
else:
    raise SystemExit(f"changed: expected {exact} twice and {CLICK + 1105} of pedalboard, saw {found}")
PYTHON
"$folder/venv/bin/python" "$folder/decoders.py"
