#!/usr/bin/env bash
# PortAudio's stream time on Linux is the time of day: it jumps when the clock is set.
#
# Meets:     Debian's PortAudio, a Raspberry Pi without a clock chip, which gets the time of day from the network
#            minutes after it started
# Expected:  What PortAudio's documentation says of Pa_GetStreamTime: a time that only rises, from an unspecified
#            origin.
# Happens:   The time of the stream and `currentTime` in a callback are those of CLOCK_REALTIME, to the microsecond:
#            differences of two of them are wrong by years when the first was taken before the clock was set, and
#            negative when it was set back.
# Seen with: Debian 12: libportaudio2 19.6.0-1.2; sounddevice 0.5.6
# Known:     https://github.com/PortAudio/portaudio/pull/559, merged: newer sources of PortAudio take the monotonic
#            clock
# Output:    stream time: 0.000 s from the time of day, years from the monotonic clock
#            callback's currentTime: 0.000 s from the time of day, years from the monotonic clock
#            as seen: PortAudio tells the time of day
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
dpkg -s libportaudio2 > "$folder/dpkg" 2>&1 || { echo "needs: apt-get install libportaudio2"; exit 2; }
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check sounddevice==0.5.6 numpy==2.4.6

printf '%s\n' '</usr/share/alsa/alsa.conf>' 'pcm.stage { type null }' > "$folder/asound.conf"
cat > "$folder/clock.py" <<'PYTHON'
import threading
import time

import sounddevice

told, called = {}, threading.Event()


def hear(block, frames, times, status) -> None:
    if not called.is_set():
        told["callback's currentTime"] = times.currentTime - time.time(), times.currentTime - time.monotonic()
        called.set()


with sounddevice.InputStream(device="stage", channels=1, samplerate=44_100, callback=hear) as stream:
    called.wait(10)
    told["stream time"] = stream.time - time.time(), stream.time - time.monotonic()
for name in sorted(told, reverse=True):
    wall, monotonic = (abs(it) for it in told[name])
    away = "years" if monotonic > 3.2e7 else f"{monotonic:.3f} s"
    print(f"{name}: {wall:.3f} s from the time of day, {away} from the monotonic clock")
if len(told) == 2 and all(abs(wall) < 1 < abs(monotonic) for wall, monotonic in told.values()):
    print("as seen: PortAudio tells the time of day")
else:
    raise SystemExit(f"changed: expected the time of day from both, saw (from it, from the monotonic clock): {told}")
PYTHON
ALSA_CONFIG_PATH=$folder/asound.conf "$folder/venv/bin/python" "$folder/clock.py" 2> "$folder/errors" ||
    { tail -n 3 "$folder/errors"; exit 1; }
