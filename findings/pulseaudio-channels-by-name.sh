#!/usr/bin/env bash
# The third channel that an ALSA program records through PulseAudio is the seventh of the interface, or silence.
#
# Meets:     PulseAudio, ALSA's plug-in for it, PortAudio, an input with eight channels
# Expected:  A program that opens three channels hears the first three, one that opens eight hears all of them.
# Happens:   PulseAudio hands channels out by their names, and ALSA's plug-in asks for names that the input does not have.
#            Of eight channels with PulseAudio's own names for eight, the third of three that are opened is the seventh
#            of the input; of eight, some are mixtures, and two of the input's come nowhere. Of eight with the names that
#            interfaces have in the profile "Pro Audio", aux0 to aux7, none comes at all when two or eight are opened:
#            zeros, without an error. The server's own program, parec, gives each as it is.
# Seen with: Debian 12: pulseaudio 16.1+dfsg1-2+b1, libasound2-plugins 1.2.7.1-1, libportaudio2 19.6.0-1.2; sounddevice
#            0.5.6
# Known:     PulseAudio documents its channel maps, and that recordings are remixed by them; which names ALSA's
#            plug-in asks for was not found.
# Output:    usual, 2 opened by ALSA's plug-in: 1+2+3+6 3+4+5+6
#            usual, 3 opened by ALSA's plug-in: 1+2+3+6 3+4+5+6 7
#            usual, 8 opened by ALSA's plug-in: 1 4 1+2 4+5 3+6 - 1+2 4+5
#            usual, parec with --no-remap --no-remix: 1 2 3 4 5 6 7 8
#            pro, 2 opened by ALSA's plug-in: - -
#            pro, 3 opened by ALSA's plug-in: - - 1
#            pro, 8 opened by ALSA's plug-in: - - - - - - - -
#            pro, parec with --no-remap --no-remix: 1 2 3 4 5 6 7 8
#            as seen: ALSA's programs get other channels than the input has
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill "$server"; wait "$server"; } || true; rm -rf "$folder"' EXIT
for package in pulseaudio pulseaudio-utils libasound2-plugins libportaudio2; do
    dpkg -s "$package" > "$folder/dpkg" 2>&1 || { echo "needs: apt-get install $package"; exit 2; }
done
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check sounddevice==0.5.6 numpy==2.4.6

# A sound server of our own, with two inputs of eight channels: the monitors of two outputs, into which tones are played.
export HOME=$folder XDG_RUNTIME_DIR=$folder PULSE_RUNTIME_PATH=$folder PULSE_SERVER=unix:$folder/native
pulseaudio -n --daemonize=no --exit-idle-time=-1 -L "module-native-protocol-unix socket=$folder/native" \
    -L "module-null-sink sink_name=usual rate=44100 channels=8" \
    -L "module-null-sink sink_name=pro rate=44100 channels=8 channel_map=aux0,aux1,aux2,aux3,aux4,aux5,aux6,aux7" \
    2> "$folder/log" &
server=$!
for _ in $(seq 100); do pactl info > "$folder/info" 2>&1 && break; sleep 0.1; done

cat > "$folder/channels.py" <<'PYTHON'
import subprocess
import time

import numpy as np
import sounddevice

RATE = 44_100
tones = np.sin(2 * np.pi * np.outer(np.arange(60 * RATE) / RATE, 400 * np.arange(1, 9)))
(8_000 * tones).astype("<i2").tofile("tones.raw")


def contents(samples):
    """The input's channels that each channel holds, told by their tones: - for none."""
    spectra = np.abs(np.fft.rfft(samples[-RATE // 4 :], axis=0))[100::100][:8]
    held = spectra > 0.02 * RATE / 8 * 8_000 / 32_768
    return " ".join("+".join(str(number) for number in np.flatnonzero(column) + 1) or "-" for column in held.T)


def record(channels):
    heard = []
    with sounddevice.InputStream(
        device="pulse", channels=channels, samplerate=RATE, callback=lambda block, *_: heard.append(block.copy())
    ):
        time.sleep(4)
    return contents(np.concatenate(heard))


seen = {}
for name in ("usual", "pro"):
    form = [f"--device={name}", "--raw", f"--rate={RATE}", "--channels=8", "--no-remap", "--no-remix"]
    player = subprocess.Popen(["pacat", *form, "--latency-msec=20", "tones.raw"])
    subprocess.run(["pactl", "set-default-source", f"{name}.monitor"], check=True)
    for count in (2, 3, 8):
        seen[name, count] = record(count)
        print(f"{name}, {count} opened by ALSA's plug-in: {seen[name, count]}")
    form[0] = f"--device={name}.monitor"
    recorder = subprocess.Popen(["parec", *form, "--format=float32le"], stdout=subprocess.PIPE)
    data = recorder.stdout.read(4 * 8 * 2 * RATE)
    recorder.terminate(), player.terminate()
    seen[name, "parec"] = contents(np.frombuffer(data, "<f4").reshape(-1, 8))
    print(f"{name}, parec with --no-remap --no-remix: {seen[name, 'parec']}")
right = "1 2 3 4 5 6 7 8"
if (
    seen["usual", "parec"] == seen["pro", "parec"] == right
    and seen["usual", 3].split()[2] == "7"
    and seen["usual", 8] != right
    and set(seen["pro", 8].split()) == {"-"}
):
    print("as seen: ALSA's programs get other channels than the input has")
else:
    raise SystemExit(f"changed: expected the third to be the seventh, and zeros of aux0 to aux7, saw {seen}")
PYTHON
cd "$folder"
venv/bin/python channels.py 2> errors || { tail -n 3 errors; exit 1; }
