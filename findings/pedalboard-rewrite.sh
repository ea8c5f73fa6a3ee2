#!/usr/bin/env bash
# Read and written again by pedalboard, a FLAC of 16 bits is another one, and a third time yet another.
#
# Meets:     pedalboard.io.AudioFile, files of 16 bits, a chain of programs that each read and write
# Expected:  What is read without an effect and written in the same format is what it was: float32 holds 16 bits
#            exactly. soundfile does that.
# Happens:   Half of all sample values, those above 0, come out one step lower, and one lower still with each further
#            time. It divides by 32767 when it reads (so the lowest value is -1.00003, outside of -1 to 1) and drops the
#            fraction when it writes. Sound gets an offset that grows, and a checksum of the audio tells of a change
#            that nobody made.
# Seen with: pedalboard 0.9.26, soundfile 0.14.0, Python 3.11.7
# Known:     no report of it was found
# Output:    soundfile, FLAC: 0 of 65536 values differ after 5 times, by 0 to 0
#            pedalboard, WAV: 32767 of 65536 values differ after 5 times, by -5 to 0
#            pedalboard, FLAC: 32767 of 65536 values differ after 5 times, by -5 to 0
#            as seen: pedalboard lowers half of all values by a step each time
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check pedalboard==0.9.26 soundfile==0.14.0 numpy==2.4.6

cat > "$folder/rewrite.py" <<'PYTHON'
import io

import numpy as np
import pedalboard.io
import soundfile

RATE, TIMES = 44_100, 5
values = np.arange(-32_768, 32_768).astype(np.int16)


def by_soundfile(file, kind):
    samples = soundfile.read(file, dtype="float32")[0]
    copy = io.BytesIO()
    soundfile.write(copy, samples, RATE, format=kind, subtype="PCM_16")
    return copy


def by_pedalboard(file, kind):
    with pedalboard.io.AudioFile(file) as reader:
        samples = reader.read(reader.frames)
    copy = io.BytesIO()
    with pedalboard.io.AudioFile(copy, "w", RATE, 1, format=kind.lower(), bit_depth=16) as writer:
        writer.write(samples)
    return copy


seen = {}
for name, rewrite, kind in (("soundfile", by_soundfile, "FLAC"), ("pedalboard", by_pedalboard, "WAV"),
                            ("pedalboard", by_pedalboard, "FLAC")):
    file = io.BytesIO()
    soundfile.write(file, values, RATE, format=kind, subtype="PCM_16")
    for _ in range(TIMES):
        file = rewrite(io.BytesIO(file.getvalue()), kind)
    difference = soundfile.read(io.BytesIO(file.getvalue()), dtype="int16")[0].astype(int) - values
    seen[name, kind] = int(np.count_nonzero(difference)), int(difference.min()), int(difference.max())
    print("{}, {}: {} of 65536 values differ after {} times, by {} to {}".format(
        name, kind, seen[name, kind][0], TIMES, *seen[name, kind][1:]))
worse = (32_767, -TIMES, 0)
if seen == {("soundfile", "FLAC"): (0, 0, 0), ("pedalboard", "WAV"): worse, ("pedalboard", "FLAC"): worse}:
    print("as seen: pedalboard lowers half of all values by a step each time")
else:
    raise SystemExit(f"changed: expected no difference by soundfile and {worse} by pedalboard, saw {seen}")
PYTHON
"$folder/venv/bin/python" "$folder/rewrite.py"
