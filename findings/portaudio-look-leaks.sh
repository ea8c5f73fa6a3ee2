#!/usr/bin/env bash
# Whenever PortAudio looks for devices on a Debian, 12 KiB are lost, for libraries that ALSA loads and unloads.
#
# Meets:     PortAudio, which lists devices only when it starts, so that whoever waits for one that was unplugged starts
#            it again and again; ALSA's resampling plug-in, which is linked with FFmpeg's libraries and those they need
# Expected:  Some memory the first time, and none for each further look.
# Happens:   PortAudio tries the sample rates of each device, ALSA opens its resampler for that, and closes it when the
#            look is over. libpixman and libgomp, which come along, allocate when they are loaded and give nothing back
#            when they are unloaded. Every two seconds that is half a gigabyte a day. Held loaded by anybody, they cost
#            nothing more. No sound card is needed to see it: a device of ALSA's type "null" will do.
# Seen with: Debian 12: libportaudio2 19.6.0-1.2, libasound2 1.2.8-1, libasound2-plugins 1.2.7.1-1, libpixman-1-0
#            0.42.2-1; sounddevice 0.5.6
# Known:     no report of it was found
# Output:    a look costs 12.5 KiB
#            a look costs 0.3 KiB with libpixman and libgomp held loaded
#            as seen: PortAudio's looks leak unless the two libraries stay loaded
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for package in libportaudio2 libasound2-plugins; do
    dpkg -s "$package" > "$folder/dpkg" 2>&1 || { echo "needs: apt-get install $package"; exit 2; }
done
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check sounddevice==0.5.6

printf '%s\n' '</usr/share/alsa/alsa.conf>' 'pcm.stage { type null }' > "$folder/asound.conf"
cat > "$folder/look.py" <<'PYTHON'
import ctypes
import sys

import sounddevice

held = [ctypes.CDLL(name) for name in sys.argv[1:]]


def allocated() -> int:
    """In KiB."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))


for number in range(150):
    sounddevice._terminate()
    sounddevice._initialize()
    if number == 29:
        before = allocated()
print(f"{(allocated() - before) / 120:.1f}")
PYTHON

export ALSA_CONFIG_PATH=$folder/asound.conf
python=$folder/venv/bin/python
leaky=$("$python" "$folder/look.py" 2> "$folder/errors")
held=$("$python" "$folder/look.py" libpixman-1.so.0 libgomp.so.1 2> "$folder/errors")
echo "a look costs $leaky KiB"
echo "a look costs $held KiB with libpixman and libgomp held loaded"
if python3 -c "import sys; sys.exit(not ($leaky > 5 and $held < 1.5))"; then
    echo "as seen: PortAudio's looks leak unless the two libraries stay loaded"
else
    echo "changed: expected more than 5 KiB and less than 1.5 KiB, saw $leaky and $held"
    exit 1
fi
