#!/usr/bin/env bash
# Where memory may not be written and executed, a Python program opens a microphone and reads it, but gets no callback.
#
# Meets:     systemd's MemoryDenyWriteExecute=yes (which `systemd-analyze security` asks for, and many units have),
#            sounddevice
# Expected:  A Python program makes no machine code while it runs, so that the setting costs nothing; or nothing works.
# Happens:   sounddevice has its callbacks from cffi, whose wheel writes a piece of code for each into memory of its
#            own. Reading from a stream works; a stream with a callback, which is what a real-time program has, raises a
#            MemoryError with gigabytes free. Imports, tests and a device list pass: it shows when the first device is
#            opened.
# Seen with: sounddevice 0.5.6, cffi 2.1.1, libportaudio2 19.6.0-1.2 (Debian 12), Python 3.11.7. The filter is systemd
#            252's: no mmap with write and execute, no mprotect with execute.
# Known:     cffi's documentation warns of ffi.callback on systems with SELinux; that sounddevice is concerned is not in
#            its documentation.
# Output:    as it is: read 100 frames, callback called
#            filtered: read 100 frames, MemoryError: Cannot allocate write+execute memory for ffi.callback()
#            as seen: callbacks need memory that is written and executed
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for package in libportaudio2 libseccomp2; do
    dpkg -s "$package" > "$folder/dpkg" 2>&1 || { echo "needs: apt-get install $package"; exit 2; }
done
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
    sounddevice==0.5.6 cffi==2.1.1 numpy==2.4.6 pyseccomp==0.1.2

# A microphone without a sound card: ALSA's, which hears nothing.
printf '%s\n' '</usr/share/alsa/alsa.conf>' 'pcm.stage { type null }' > "$folder/asound.conf"
cat > "$folder/listen.py" <<'PYTHON'
import sys
import threading

import pyseccomp
import sounddevice

WRITE, EXECUTE, THIRD = 2, 4, 2
if sys.argv[1] == "filtered":
    calls = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for name, bits in (("mmap", WRITE | EXECUTE), ("mprotect", EXECUTE), ("pkey_mprotect", EXECUTE)):
        calls.add_rule(pyseccomp.ERRNO(1), name, pyseccomp.Arg(THIRD, pyseccomp.MASKED_EQ, bits, bits))
    calls.load()
settings = {"device": "stage", "channels": 1, "samplerate": 44_100}
with sounddevice.InputStream(**settings) as stream:
    told = f"read {len(stream.read(100)[0])} frames"
called = threading.Event()
try:
    with sounddevice.InputStream(**settings, callback=lambda *_: called.set()):
        told += ", callback called" if called.wait(10) else ", callback not called"
except MemoryError as error:
    told += f", MemoryError: {str(error).split('.')[0]}.callback()"
print(told)
PYTHON

export ALSA_CONFIG_PATH=$folder/asound.conf
for case in "as it is" filtered; do
    echo "$case: $("$folder/venv/bin/python" "$folder/listen.py" "$case" 2>> "$folder/errors")" | tee -a "$folder/seen"
done
expected="as it is: read 100 frames, callback called
filtered: read 100 frames, MemoryError: Cannot allocate write+execute memory for ffi.callback()"
if [ "$(cat "$folder/seen")" = "$expected" ]; then
    echo "as seen: callbacks need memory that is written and executed"
else
    echo "changed: expected a callback, and a MemoryError where it is filtered, saw the lines above"
    exit 1
fi
