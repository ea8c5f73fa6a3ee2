#!/usr/bin/env bash
# When its input goes away, a recording through PulseAudio goes on with another one, and PortAudio tells nothing.
#
# Meets:     PulseAudio, ALSA's plug-in for it, PortAudio: what an ALSA program has on most desktops
# Expected:  An error, the end of the stream, or silence, as with a sound card that is pulled.
# Happens:   PulseAudio moves the recording to another input, a monitor of what the computer plays if there is nothing
#            else. No module is loaded that would do that (module-rescue-streams, module-stream-restore). PulseAudio
#            tells its own clients, but ALSA has no word for it: the stream stays active, no status is set,
#            finished_callback is not called, and the device has the name that it had. What is heard is another room.
# Seen with: Debian 12: pulseaudio 16.1+dfsg1-2+b1, libasound2-plugins 1.2.7.1-1, libportaudio2 19.6.0-1.2; sounddevice
#            0.5.6
# Known:     https://github.com/bastibe/SoundCard/issues/149 for PulseAudio's own clients; for ALSA's no report was
#            found.
# Output:    recorded: nothing at 1 kHz, from stage.monitor
#            stage is unplugged
#            recorded: a tone of 1 kHz, from other.monitor
#            stream active: True, statuses: none, finished: 0
#            as seen: the recording moved to another input without a word
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill "$server"; wait "$server"; } || true; rm -rf "$folder"' EXIT
for package in pulseaudio pulseaudio-utils libasound2-plugins libportaudio2; do
    dpkg -s "$package" > "$folder/dpkg" 2>&1 || { echo "needs: apt-get install $package"; exit 2; }
done
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check sounddevice==0.5.6 numpy==2.4.6

# A sound server of our own, with two rooms; what is played there is what their monitors record.
export HOME=$folder XDG_RUNTIME_DIR=$folder PULSE_RUNTIME_PATH=$folder PULSE_SERVER=unix:$folder/native
pulseaudio -n --daemonize=no --exit-idle-time=-1 -L "module-native-protocol-unix socket=$folder/native" \
    -L "module-null-sink sink_name=stage rate=44100" -L "module-null-sink sink_name=other rate=44100" \
    2> "$folder/log" &
server=$!
for _ in $(seq 100); do pactl info > "$folder/info" 2>&1 && break; sleep 0.1; done
pactl set-default-source stage.monitor

cat > "$folder/record.py" <<'PYTHON'
import subprocess
import time
import wave

import numpy as np
import sounddevice

RATE = 44_100
heard, statuses, finished = [], set(), []


def pactl(*arguments) -> list[list[str]]:
    output = subprocess.run(["pactl", *arguments], capture_output=True, text=True, check=True).stdout
    return [line.split("\t") for line in output.splitlines()]


def hear(block, frames, times, status) -> None:
    heard.append(block.copy())
    if status:
        statuses.add(str(status))


def recorded() -> tuple[bool, str]:
    """Whether the last half second is a tone of 1 kHz, and which input PulseAudio records from."""
    last = np.concatenate(heard)[-RATE // 2 :, 0]
    source = {row[0]: row[1] for row in pactl("list", "short", "sources")}
    tone = bool(np.abs(np.fft.rfft(last))[500] * 2 / len(last) > 0.1)
    told = tone, source[pactl("list", "short", "source-outputs")[0][1]]
    print(f"recorded: {'a tone of' if told[0] else 'nothing at'} 1 kHz, from {told[1]}")
    return told


with wave.open("tone.wav", "wb") as file:
    file.setnchannels(1), file.setsampwidth(2), file.setframerate(RATE)
    file.writeframes((10_000 * np.sin(2 * np.pi * 1000 * np.arange(60 * RATE) / RATE)).astype("<i2").tobytes())
player = subprocess.Popen(["paplay", "--device=other", "tone.wav"])
with sounddevice.InputStream(
    device="pulse", channels=1, samplerate=RATE, callback=hear, finished_callback=lambda: finished.append(1)
) as stream:
    time.sleep(2)
    before = recorded()
    module = next(row[0] for row in pactl("list", "short", "modules") if "sink_name=stage" in row[2])
    pactl("unload-module", module)
    print("stage is unplugged")
    time.sleep(3)
    after = recorded()
    seen = stream.active, statuses, len(finished)
player.terminate()
print(f"stream active: {seen[0]}, statuses: {', '.join(seen[1]) or 'none'}, finished: {seen[2]}")
if before == (False, "stage.monitor") and after == (True, "other.monitor") and seen == (True, set(), 0):
    print("as seen: the recording moved to another input without a word")
else:
    raise SystemExit("changed: expected the other input's tone and no word, saw the lines above")
PYTHON
cd "$folder"
venv/bin/python record.py 2> errors || { tail -n 3 errors; exit 1; }
