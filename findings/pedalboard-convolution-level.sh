#!/usr/bin/env bash
# Through pedalboard's Convolution with "1", sound comes out 18 dB quieter, and with "0.5" just as loud as with "1".
#
# Meets:     pedalboard (JUCE), impulse responses of rooms and cabinets
# Expected:  A convolution: the response that is 1 and then zeros changes nothing, half of it is 6 dB less, and of two
#            rooms the one that was measured quieter sounds quieter.
# Happens:   Each response is scaled to an energy of its own (1/64, that is -18 dB) before it is used, whatever its
#            level. What a set of responses has in common, the distance of the microphones say, is lost, and who adds
#            the dry sound by hand gets another share of it than was measured.
# Seen with: pedalboard 0.9.26, scipy 1.17.1, Python 3.11.7
# Known:     https://github.com/juce-framework/JUCE/issues/290 asks for an option in JUCE, which has one by now;
#            pedalboard does not offer it, and its documentation does not mention the scaling.
# Output:    response 1: convolved 0.0 dB, pedalboard -18.1 dB
#            response 0.5: convolved -6.0 dB, pedalboard -18.1 dB
#            response 0.01: convolved -40.0 dB, pedalboard -18.1 dB
#            as seen: the level of an impulse response has no effect
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check pedalboard==0.9.26 scipy==1.17.1 numpy==2.4.6

cat > "$folder/level.py" <<'PYTHON'
import numpy as np
import pedalboard
from scipy.signal import fftconvolve

RATE = 44_100
sound = (0.1 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)
response = np.zeros(1000, np.float32)


def gain(samples) -> float:
    """In dB, against the sound that went in."""
    return 10 * np.log10(np.mean(samples[RATE // 2 :] ** 2) / np.mean(sound[RATE // 2 :] ** 2))


gains = []
for first in (1.0, 0.5, 0.01):
    response[0] = first
    convolved = gain(fftconvolve(sound, response)[:RATE])
    gains.append(gain(pedalboard.Convolution(response, mix=1.0, sample_rate=RATE)(sound, RATE)))
    print(f"response {first:g}: convolved {round(convolved, 1) + 0.0} dB, pedalboard {gains[-1]:.1f} dB")
if all(abs(it + 18.06) < 0.1 for it in gains):
    print("as seen: the level of an impulse response has no effect")
else:
    raise SystemExit(f"changed: expected -18.06 dB each time, saw {gains}")
PYTHON
"$folder/venv/bin/python" "$folder/level.py"
