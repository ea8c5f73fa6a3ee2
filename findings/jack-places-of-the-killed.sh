#!/usr/bin/env bash
# A JACK server that was killed keeps one of eight places: the ninth name cannot be started, though no server runs.
#
# Meets:     jackd2, its registry in /dev/shm, services and tests that give each server a name and may be killed
# Expected:  The place of a process that is gone is free, as its locks and sockets are; or the message names the cause.
# Happens:   Each name that a server had when it was killed (SIGKILL, power, the memory's end) stays in the registry.
#            After eight of them a server of a new name ends with "Failed to open server". One of a former name starts
#            and, ended by SIGTERM, gives its place back. Otherwise it takes a reboot, or to delete the registry.
# Seen with: Debian 12: jackd2 1.9.21~dfsg-3
# Known:     That there are eight places is in the sources (MAX_SERVERS). That the killed keep theirs was not found in
#            the documentation, nor as a report; in https://github.com/jackaudio/jack2/issues/280 somebody kills a server
#            on purpose, because its clean end disturbed another one.
# Output:    eight servers with names of their own, each killed: 8 started
#            a ninth name: does not start
#            the first name again: starts
#            a ninth name, after that one was ended by SIGTERM: starts
#            as seen: a killed server keeps its place until one of its name is ended
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for package in jackd2 util-linux; do
    dpkg -s "$package" > "$folder/dpkg" 2>&1 || { echo "needs: apt-get install $package"; exit 2; }
done
# A registry of our own, so that nobody else's servers lose their places.
alone() { unshare --user --map-root-user --mount sh -c "mount -t tmpfs tmpfs /dev/shm && $1" 2> "$folder/errors"; }
alone true || { echo "needs: a Linux on which everybody may make user namespaces"; exit 2; }

cat > "$folder/places.sh" <<'SH'
# starts NAME SIGNAL: whether a server of this name is still there a second later; it gets the signal then.
starts() {
    JACK_DEFAULT_SERVER=$1 jackd -r -d dummy -p 4096 > "$HOME/log" 2>&1 &
    sleep 1
    found=1
    kill -0 $! 2> "$HOME/gone" && found=0 && kill "-$2" $!
    wait $! 2> "$HOME/gone" || true
    return $found
}
say() { if starts "$1" "$2"; then echo starts; else echo does not start; fi; }

count=0
for name in 1 2 3 4 5 6 7 8; do starts "stage$name" KILL && count=$((count + 1)); done
echo "eight servers with names of their own, each killed: $count started"
echo "a ninth name: $(say stage9 TERM)"
echo "the first name again: $(say stage1 TERM)"
echo "a ninth name, after that one was ended by SIGTERM: $(say stage9 TERM)"
SH
seen=$(HOME=$folder alone "bash $folder/places.sh")
echo "$seen"
expected="eight servers with names of their own, each killed: 8 started
a ninth name: does not start
the first name again: starts
a ninth name, after that one was ended by SIGTERM: starts"
if [ "$seen" = "$expected" ]; then
    echo "as seen: a killed server keeps its place until one of its name is ended"
else
    echo "changed: expected the ninth alone to fail, saw the lines above"
    exit 1
fi
