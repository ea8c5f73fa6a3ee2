#!/usr/bin/env bash
# Pedalboard's Limiter makes quiet sound louder, and Reverb with all dry and nothing wet doubles it.
#
# Meets:     pedalboard (JUCE), augmentation of training data, levels that mean something
# Expected:  A limiter leaves alone what stays below its threshold. A reverb at dry_level 1 and wet_level 0 passes sound
#            on.
# Happens:   Limiter(0) adds 3.75 dB to sound at -40 dB, and Limiter(-10) 13.75: the lower the limit, the louder. Reverb
#            adds 6.02 dB: its dry_level of 1 is a factor of 2, and 0.5 is what passes on. Compressor, NoiseGate,
#            Chorus, Delay, Phaser and BrickwallLimiter do nothing at settings that should do nothing.
# Seen with: pedalboard 0.9.26, Python 3.11.7
# Known:     https://github.com/spotify/pedalboard/issues/282 (Limiter, open since 2023) and pull request 508, which
#            adds BrickwallLimiter beside it. The documentation of Limiter and Reverb does not tell. Of Reverb no report
#            was found.
# Output:    Limiter(threshold_db=0): +3.75 dB
#            Limiter(threshold_db=-10): +13.75 dB
#            Reverb(dry_level=1, wet_level=0): +6.02 dB
#            Reverb(dry_level=0.5, wet_level=0): +0.00 dB
#            six others: at most 0.00 dB
#            as seen: Limiter and Reverb change the level of what they should leave alone
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check pedalboard==0.9.26 numpy==2.4.6

cat > "$folder/neutral.py" <<'PYTHON'
import numpy as np
import pedalboard as pb

RATE = 44_100
sound = (0.01 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)


def gain(effect) -> float:
    """In dB, once the effect has settled."""
    return 10 * np.log10(np.mean(effect(sound, RATE)[RATE // 2 :] ** 2) / np.mean(sound[RATE // 2 :] ** 2))


effects = {
    "Limiter(threshold_db=0)": (pb.Limiter(threshold_db=0), 3.75),
    "Limiter(threshold_db=-10)": (pb.Limiter(threshold_db=-10), 13.75),
    "Reverb(dry_level=1, wet_level=0)": (pb.Reverb(dry_level=1, wet_level=0), 6.02),
    "Reverb(dry_level=0.5, wet_level=0)": (pb.Reverb(dry_level=0.5, wet_level=0), 0.0),
}
others = [pb.Compressor(0), pb.NoiseGate(-100), pb.BrickwallLimiter(0), pb.Chorus(mix=0), pb.Delay(mix=0)]
others.append(pb.Phaser(mix=0))
wrong = []
for name, (effect, expected) in effects.items():
    seen = gain(effect)
    print(f"{name}: +{abs(seen):.2f} dB")
    if abs(seen - expected) > 0.05:
        wrong.append(f"{name}: {expected} expected, {seen:.2f} seen")
most = max(abs(gain(effect)) for effect in others)
print(f"six others: at most {most:.2f} dB")
if not wrong and most < 0.05:
    print("as seen: Limiter and Reverb change the level of what they should leave alone")
else:
    raise SystemExit(f"changed: {'; '.join(wrong) or f'the six others change it by {most:.2f} dB'}")
PYTHON
"$folder/venv/bin/python" "$folder/neutral.py"
