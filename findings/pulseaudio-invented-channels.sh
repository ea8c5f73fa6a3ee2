#!/usr/bin/env bash
# PulseAudio gives a mono microphone 32 channels; all of them hear it, but for the sixth, which is silent.
#
# Meets:     PulseAudio, ALSA's plug-in for it, PortAudio, a program that listens to the channel of a number
# Expected:  As many channels as the input has, or an error when more are asked for, as from a sound card.
# Happens:   PortAudio tells 32 input channels whatever the input is, and opens them. PulseAudio fills them as it would
#            fill loudspeakers: of mono, each gets a copy, and the subwoofer (channel 6) nothing. Of stereo, 3, 4, 7 and
#            8 are copies of 1 and 2, 5 is half of both, 6 and all from 9 on are silent. So "channel 3 of the interface"
#            sounds right when the interface has two, and a test of the sixth says that the microphone is dead.
# Seen with: Debian 12: pulseaudio 16.1+dfsg1-2+b1, libasound2-plugins 1.2.7.1-1, libportaudio2 19.6.0-1.2; sounddevice
#            0.5.6
# Known:     PulseAudio documents remixing (enable-remixing); that recordings of an ALSA program get channels which the
#            input does not have was not found.
# Output:    inputs that PortAudio tells: pulse with 32 channels
#            a mono input, opened with 8 channels: 0.50 0.50 0.50 0.50 0.50 0.00 0.50 0.50
#            a stereo input, its second channel silent: 0.50 0.00 0.50 0.00 0.25 0.00 0.50 0.00
#            as seen: channels that the input does not have are copies of others, but the sixth
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill "$server"; wait "$server"; } || true; rm -rf "$folder"' EXIT
for package in pulseaudio pulseaudio-utils libasound2-plugins libportaudio2; do
    dpkg -s "$package" > "$folder/dpkg" 2>&1 || { echo "needs: apt-get install $package"; exit 2; }
done
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check sounddevice==0.5.6 numpy==2.4.6

# A sound server of our own; what is played into an output is what its monitor, an input, records.
export HOME=$folder XDG_RUNTIME_DIR=$folder PULSE_RUNTIME_PATH=$folder PULSE_SERVER=unix:$folder/native
pulseaudio -n --daemonize=no --exit-idle-time=-1 -L "module-native-protocol-unix socket=$folder/native" \
    -L "module-null-sink sink_name=mono rate=44100 channels=1" \
    -L "module-null-sink sink_name=stereo rate=44100 channels=2" 2> "$folder/log" &
server=$!
for _ in $(seq 100); do pactl info > "$folder/info" 2>&1 && break; sleep 0.1; done

cat > "$folder/channels.py" <<'PYTHON'
import subprocess
import time
import wave

import numpy as np
import sounddevice

RATE = 44_100
told = {device["name"]: device["max_input_channels"] for device in sounddevice.query_devices()}
print("inputs that PortAudio tells: pulse with", told["pulse"], "channels")
seen = []
for name, channels, words in (("mono", 1, "a mono input, opened with 8 channels"),
                              ("stereo", 2, "a stereo input, its second channel silent")):
    tone = np.zeros((60 * RATE, channels))
    tone[:, 0] = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(len(tone)) / RATE)
    with wave.open(f"{name}.wav", "wb") as file:
        file.setnchannels(channels), file.setsampwidth(2), file.setframerate(RATE)
        file.writeframes((32_767 * tone).astype("<i2").tobytes())
    player = subprocess.Popen(["paplay", f"--device={name}", f"{name}.wav"])
    subprocess.run(["pactl", "set-default-source", f"{name}.monitor"], check=True)
    heard = []
    with sounddevice.InputStream(
        device="pulse", channels=8, samplerate=RATE, callback=lambda block, *_: heard.append(block.copy())
    ):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not (heard and np.abs(heard[-1]).max() > 0.4):
            time.sleep(0.1)
        time.sleep(1.5)
    player.terminate()
    player.wait()
    last = np.concatenate(heard)[-RATE // 2 :]
    levels = np.abs(np.fft.rfft(last, axis=0))[500] * 2 / len(last)
    seen.append(" ".join(f"{level:.2f}" for level in levels))
    print(f"{words}: {seen[-1]}")
expected = ["0.50 0.50 0.50 0.50 0.50 0.00 0.50 0.50", "0.50 0.00 0.50 0.00 0.25 0.00 0.50 0.00"]
if told["pulse"] == 32 and seen == expected:
    print("as seen: channels that the input does not have are copies of others, but the sixth")
else:
    raise SystemExit(f"changed: expected 32 channels and {expected}, saw {told['pulse']} and {seen}")
PYTHON
cd "$folder"
venv/bin/python channels.py 2> errors || { tail -n 3 errors; exit 1; }
