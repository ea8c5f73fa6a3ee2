#!/usr/bin/env bash
# Read in small blocks, an MP3 of variable bit rate has clicks that it has not when it is read at once.
#
# Meets:     soundfile's reading in blocks, libsndfile's MP3, variable bit rate (what most encoders are asked for)
# Expected:  Blocks read one after the other are the file. They are for MP3s of constant bit rate.
# Happens:   soundfile seeks after each block to where the file is already. For libsndfile that is a seek, and in an MP3
#            of variable bit rate it leads a little beside, or loses bits of the frames before: one sample in 500 is
#            wrong, by as much as the sound is loud. A FLAC that does not say how long it is ends with an error by the
#            same seek. Where `seekable()` of a SoundFile says no, soundfile does not seek, and all is well.
# Seen with: soundfile 0.14.0 (its wheel has libsndfile 1.2.2), numpy 2.4.6, Python 3.11.7
# Known:     mp3-read-from-the-middle.sh is the same seek at other rates. Of blocks no report was found.
# Output:    CONSTANT: 0.00 of 1000 samples differ, by 0.00 at the most; without seeks 0.00
#            VARIABLE: 1.91 of 1000 samples differ, by 0.26 at the most; without seeks 0.00
#            as seen: a variable bit rate has other samples in blocks
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check soundfile==0.14.0 numpy==2.4.6

cat > "$folder/blocks.py" <<'PYTHON'
import io

import numpy as np
import soundfile

RATE = 44_100


class Sequential(soundfile.SoundFile):
    def seekable(self) -> bool:
        return False


def in_blocks(kind: type[soundfile.SoundFile], content: bytes) -> np.ndarray:
    with kind(io.BytesIO(content)) as file:
        blocks = [file.read(441, dtype="float32")]
        while len(blocks[-1]):
            blocks.append(file.read(441, dtype="float32"))
    return np.concatenate(blocks)


loud = np.sin(2 * np.pi * 0.7 * np.arange(20 * RATE) / RATE) > 0
sound = (np.random.default_rng(1).standard_normal(len(loud)) * np.where(loud, 0.1, 0.001)).astype(np.float32)
seen = {}
for mode in ("CONSTANT", "VARIABLE"):
    file = io.BytesIO()
    soundfile.write(file, sound, RATE, format="MP3", bitrate_mode=mode, compression_level=0.5)
    content = file.getvalue()
    whole = soundfile.read(io.BytesIO(content), dtype="float32")[0]
    seeking, reading = (np.abs(in_blocks(kind, content) - whole) for kind in (soundfile.SoundFile, Sequential))
    seen[mode] = 1000 * np.mean(seeking > 1e-3), 1000 * np.mean(reading > 1e-3)
    print(f"{mode}: {seen[mode][0]:.2f} of 1000 samples differ, by {seeking.max():.2f} at the most; "
          f"without seeks {seen[mode][1]:.2f}")
if seen["CONSTANT"] == (0, 0) and seen["VARIABLE"][0] > 0.1 and seen["VARIABLE"][1] == 0:
    print("as seen: a variable bit rate has other samples in blocks")
else:
    raise SystemExit(f"changed: expected samples that differ for VARIABLE alone, and with seeks alone, saw {seen}")
PYTHON
"$folder/venv/bin/python" "$folder/blocks.py" 2> "$folder/decoder" || { grep -v mpg123 "$folder/decoder"; exit 1; }
