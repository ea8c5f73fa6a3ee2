#!/usr/bin/env bash
# Resampled as int16, digital silence is silence no more: a quarter of the zeros come out as 1 or -1.
#
# Meets:     soxr, 16-bit audio, a check whether an input delivers nothing but zeros
# Expected:  0 in, 0 out, as from any filter without an offset, and as it is with float32, float64 and int32.
# Happens:   libsoxr dithers when its output has 16 bits, zeros included, and python-soxr has no switch for it. The
#            noise is that of a live input, so a muted or dead channel cannot be told any more behind the resampler. It
#            is the same noise each time: the mean of many takes does not get rid of it.
# Seen with: soxr 1.1.0 (libsoxr 0.1.3-14), Python 3.11.7
# Known:     https://github.com/dofuuz/python-soxr/issues/11 and pull request 12 are about how the dither is made. The
#            documentation of python-soxr does not mention it.
# Output:    int16: 5185 of 22050 samples of silence are not 0, at most 1; twice the same
#            int32: 0 of 22050 samples of silence are not 0, at most 0; twice the same
#            float32: 0 of 22050 samples of silence are not 0, at most 0; twice the same
#            as seen: int16 silence becomes noise
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check soxr==1.1.0 numpy==2.4.6

cat > "$folder/silence.py" <<'PYTHON'
import numpy as np
import soxr

noisy = {}
for kind in ("int16", "int32", "float32"):
    silence = np.zeros(44_100, kind)
    first, second = (soxr.resample(silence, 44_100, 22_050) for _ in range(2))
    noisy[kind] = int(np.count_nonzero(first))
    same = "twice the same" if np.array_equal(first, second) else "not the same again"
    print(f"{kind}: {noisy[kind]} of {len(first)} samples of silence are not 0, at most {abs(first).max():.0f}; {same}")
if noisy["int16"] > 1000 and noisy["int32"] == noisy["float32"] == 0:
    print("as seen: int16 silence becomes noise")
else:
    raise SystemExit(f"changed: expected thousands in int16 and 0 otherwise, saw {noisy}")
PYTHON
"$folder/venv/bin/python" "$folder/silence.py"
