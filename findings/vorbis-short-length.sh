#!/usr/bin/env bash
# A single note as Vorbis is as long as it was for libsndfile, and up to a thousand samples more or less for FFmpeg.
#
# Meets:     short sounds (a note, a click, a loop) that libsndfile wrote as Ogg Vorbis, and FFmpeg (PyAV), which
#            Chromium has, too
# Expected:  The length that was written. Ogg says it to the sample, and both have it in their headers.
# Happens:   When all audio fits into one Ogg page, which holds two or three seconds of a quiet note, FFmpeg does not
#            cut the last block to that length: 256 samples are missing, or up to 958 were too many. From the second
#            page on it is exact. A loop clicks, samples of one pitch get lengths of their own, and FFmpeg's own
#            `duration` says something else than it delivers. decodeAudioData of Chromium 156 gave 47872 samples for
#            48000.
# Seen with: av 18.1.0 (FFmpeg 8.1.2), soundfile 0.14.0 (libsndfile 1.2.2), Python 3.11.7
# Known:     https://github.com/RustAudio/lewton/issues/106 is the same of another decoder; of FFmpeg no report was
#            found.
# Output:    22050 Hz, one page: 20 of 20 lengths differ in FFmpeg, by -256 to 509; libsndfile 0, FFmpeg's duration 0
#            22050 Hz, more pages: 0 of 20 lengths differ in FFmpeg, by 0 to 0; libsndfile 0, FFmpeg's duration 0
#            as seen: FFmpeg does not keep the length of Vorbis in one page
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check soundfile==0.14.0 av==18.1.0 numpy==2.4.6

cat > "$folder/length.py" <<'PYTHON'
import io

import av
import numpy as np
import soundfile

RATE = 22_050
random = np.random.default_rng(0)


def note(length: int) -> np.ndarray:
    time = np.arange(length) / RATE
    return 0.5 * np.sin(2 * np.pi * random.uniform(100, 1000) * time) * np.exp(-3 * time)


def noise(length: int) -> np.ndarray:
    return 0.1 * random.standard_normal(length)


def pages(content: bytes) -> int:
    return content.count(b"OggS\0")


seen = {}
for words, sound, seconds in (("one page", note, (0.3, 1.0)), ("more pages", noise, (2.0, 4.0))):
    differences, others, durations = [], 0, 0
    for _ in range(20):
        length = int(random.uniform(*seconds) * RATE)
        file = io.BytesIO()
        soundfile.write(file, sound(length), RATE, format="OGG", subtype="VORBIS")
        content = file.getvalue()
        assert (pages(content) == 3) == (words == "one page")  # two are headers
        others += len(soundfile.read(io.BytesIO(content))[0]) != length
        with av.open(io.BytesIO(content)) as container:
            stream = container.streams.audio[0]
            durations += stream.duration * stream.time_base * RATE != length
            differences.append(sum(frame.samples for frame in container.decode(stream)) - length)
    seen[words] = differing = sum(it != 0 for it in differences)
    print(f"{RATE} Hz, {words}: {differing} of 20 lengths differ in FFmpeg, by {min(differences)} to "
          f"{max(differences)}; libsndfile {others}, FFmpeg's duration {durations}")
    assert others == durations == 0
if seen["one page"] >= 15 and seen["more pages"] == 0:
    print("as seen: FFmpeg does not keep the length of Vorbis in one page")
else:
    raise SystemExit(f"changed: expected (nearly) all of one page to differ and none of more, saw {seen}")
PYTHON
"$folder/venv/bin/python" "$folder/length.py"
