#!/usr/bin/env bash
# An idle connection costs an asyncio server 3.5 KiB, and 280 KiB with TLS, which sent not a byte of its own.
#
# Meets:     asyncio's server, TLS, a crowd of clients that mostly wait (WebSocket subscribers, say)
# Expected:  TLS costs some tens of KiB a connection: OpenSSL's state, and a record of 16 KiB at the most.
# Happens:   Since Python 3.11 each TLS connection allocates a read buffer of 256 KiB when it begins, writes zeros into
#            all of it, so that it is resident, and keeps it as long as it lasts. 600 subscribers are 160 MiB: on a Pi
#            Zero 2 a third of what there is. asyncio.sslproto.SSLProtocol.max_size is not documented as a setting.
# Seen with: Python 3.11.7 (279 KiB), 3.12.1 (280), 3.13.0 (297); 3.10.13, whose TLS is another, needs 23
# Known:     https://github.com/python/cpython/issues/109534 is about a leak in the same code and mentions the buffer;
#            https://github.com/python-websockets/websockets/issues/1644 wonders about a client's memory.
# Output:    200 connections without TLS: 3.5 KiB each
#            200 connections with TLS: 279.3 KiB each
#            as seen: an idle TLS connection holds more than 256 KiB
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
command -v openssl > "$folder/path" || { echo "needs: apt-get install openssl"; exit 2; }

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=stage.example \
    -keyout "$folder/key.pem" -out "$folder/certificate.pem" 2> "$folder/openssl"

cat > "$folder/crowd.py" <<'PYTHON'
"""Clients that connect, and wait until standard input ends."""
import socket
import ssl
import sys

number, port, tls = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "with"
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
clients = []
for _ in range(number):
    client = socket.create_connection(("127.0.0.1", port))
    clients.append(context.wrap_socket(client) if tls else client)
print("connected", flush=True)
sys.stdin.read()
PYTHON

cat > "$folder/server.py" <<'PYTHON'
import asyncio
import os
import ssl
import sys
from asyncio.subprocess import PIPE

folder, number, tls = sys.argv[1], 200, sys.argv[2]


def resident() -> float:
    """In KiB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024


async def main() -> None:
    context = None
    if tls == "with":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{folder}/certificate.pem", f"{folder}/key.pem")
    connected = []
    server = await asyncio.start_server(lambda *streams: connected.append(streams), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    crowds = []
    for count in (5, number):  # the first few bring in what is needed once
        before = resident()
        expected = len(connected) + count
        crowds.append(await asyncio.create_subprocess_exec(
            sys.executable, f"{folder}/crowd.py", str(count), str(port), tls, stdin=PIPE, stdout=PIPE))
        await crowds[-1].stdout.readline()
        while len(connected) < expected:
            await asyncio.sleep(0.05)
        each = (resident() - before) / count
    print(f"{each:.1f}", flush=True)
    for crowd in crowds:
        crowd.stdin.close()
        await crowd.wait()
    os._exit(0)  # what the clients left behind does not matter


asyncio.run(main())
PYTHON

without=$(python3 "$folder/server.py" "$folder" without)
with=$(python3 "$folder/server.py" "$folder" with)
echo "200 connections without TLS: $without KiB each"
echo "200 connections with TLS: $with KiB each"
if python3 -c "import sys; sys.exit(not ($without < 30 and 256 < $with < 600))"; then
    echo "as seen: an idle TLS connection holds more than 256 KiB"
else
    echo "changed: expected less than 30 KiB without and more than 256 KiB with TLS, saw $without and $with"
    exit 1
fi
