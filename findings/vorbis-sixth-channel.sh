#!/usr/bin/env bash
# Six microphones in one Vorbis or Opus file are five: the sixth comes back as good as silent.
#
# Meets:     multi-track recordings, libsndfile's Vorbis and Opus
# Expected:  Six channels in, six channels out, each about as good as the others. With five it is so.
# Happens:   Both formats take six channels for 5.1 surround, whose sixth is the subwoofer's, and the encoders throw
#            away what a subwoofer does not play, a tone of 1 kHz for instance. There is no error and no other number of
#            channels, and libsndfile has no way to say that six channels are six microphones.
# Seen with: soundfile 0.14.0 (libsndfile 1.2.2), Python 3.11.7
# Known:     RFC 7845 and the Vorbis specification name the sixth channel; that libsndfile's users lose it was not
#            found.
# Output:    a tone of 1 kHz at -13.5 dB in each channel; what comes back of the last one:
#            FLAC: 5 channels -13.5 dB, 6 channels -13.5 dB
#            Vorbis: 5 channels -13.4 dB, 6 channels -180.0 dB
#            Opus: 5 channels -13.5 dB, 6 channels -66.9 dB
#            as seen: the sixth of six channels loses more than 40 dB
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check soundfile==0.14.0 numpy==2.4.6

cat > "$folder/six.py" <<'PYTHON'
import io

import numpy as np
import soundfile

RATE = 48_000
FORMATS = {"FLAC": ("FLAC", "PCM_16"), "Vorbis": ("OGG", "VORBIS"), "Opus": ("OGG", "OPUS")}
tone = 0.3 * np.sin(2 * np.pi * 1000 * np.arange(2 * RATE) / RATE)


def level(samples) -> float:
    """In dB."""
    return 20 * np.log10(np.sqrt(np.mean(samples[RATE // 2 : RATE] ** 2)) + 1e-9)


print(f"a tone of 1 kHz at {level(tone):.1f} dB in each channel; what comes back of the last one:")
levels = {}
for name, (kind, subtype) in FORMATS.items():
    for number in (5, 6):
        file = io.BytesIO()
        soundfile.write(file, np.stack([tone] * number, axis=1), RATE, format=kind, subtype=subtype)
        samples = soundfile.read(io.BytesIO(file.getvalue()))[0]
        assert samples.shape == (len(tone), number)
        assert all(abs(level(samples[:, channel]) - level(tone)) < 1.5 for channel in range(5))
        levels[name, number] = level(samples[:, -1])
    print(f"{name}: 5 channels {levels[name, 5]:.1f} dB, 6 channels {levels[name, 6]:.1f} dB")
lost = {name: levels[name, 5] - levels[name, 6] for name in FORMATS}
if lost["Vorbis"] > 40 and lost["Opus"] > 40 and abs(lost["FLAC"]) < 0.1:
    print("as seen: the sixth of six channels loses more than 40 dB")
else:
    raise SystemExit(f"changed: expected more than 40 dB for Vorbis and Opus, saw {lost}")
PYTHON
"$folder/venv/bin/python" "$folder/six.py"
