"""nginx in front of a server, which it serves below a path as an operator would set it up."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.certificates import Certificate
from tests.support.processes import program
from tests.support.waiting import PATIENCE

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
LOCATION = """
        location /soloist/ {
            proxy_pass http://127.0.0.1:8765/;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_read_timeout 1h;
        }
"""
"""As docs/security.md has it, which a test sees to."""
CONFIGURATION = """
daemon off;
pid {folder}/pid;
error_log stderr notice;
worker_processes 1;
{user}
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port}{tls};
        {certificate}
        {location}
        location / {{ return 404 "nothing of Soloist's is here\\n"; }}
    }}
}}
"""


@contextlib.asynccontextmanager
async def proxied(port: int, certificate: Certificate | None = None) -> AsyncIterator[str]:
    """Serve what is on a port of this machine below /soloist/; yields HOST:PORT, by TLS if there is a certificate."""
    if NGINX is None:
        pytest.skip("nginx is not installed: apt-get install nginx-light")
    with tempfile.TemporaryDirectory(prefix="soloist-nginx-") as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        own = probe.getsockname()[1]
        probe.close()
        pair = certificate and f"ssl_certificate {certificate.certificate}; ssl_certificate_key {certificate.key};"
        file = Path(folder) / "nginx.conf"
        file.write_text(
            CONFIGURATION.format(
                folder=folder,
                user="user root;" if os.geteuid() == 0 else "",
                port=own,
                tls=" ssl" if pair else "",
                certificate=pair or "",
                location=LOCATION.replace("127.0.0.1:8765", f"127.0.0.1:{port}"),
            )
        )
        async with program(NGINX, "-p", folder, "-c", str(file), "-e", "stderr", stderr=PIPE) as process:
            assert process.stderr is not None
            said = b""
            async with asyncio.timeout(PATIENCE):
                while b"start worker process " not in said:
                    line = await process.stderr.readline()
                    assert line, said.decode()
                    said += line
            yield f"127.0.0.1:{own}"
            process.terminate()  # a kill would leave its worker
            async with asyncio.timeout(PATIENCE):
                await process.communicate()
