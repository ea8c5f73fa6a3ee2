# Soloist in a container, for amd64 and arm64; docs/raspberry-pi.md says how to run it.
FROM python:3.13-slim AS build
WORKDIR /soloist
COPY . .
RUN python -m venv /opt/soloist && /opt/soloist/bin/pip install --no-cache-dir .

FROM python:3.13-slim
# A version of Debian's would be gone from its servers with the next one.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libportaudio2 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 8765 --groups audio --home-dir /var/lib/soloist --create-home soloist
COPY --from=build /opt/soloist /opt/soloist
USER 8765
# From outside of the container only another address than loopback can be reached; then a token is required.
ENV PATH="/opt/soloist/bin:$PATH" SOLOIST_HOST=0.0.0.0 STATE_DIRECTORY=/var/lib/soloist
EXPOSE 8765
HEALTHCHECK --start-period=10s --timeout=5s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8765/healthz')"]
ENTRYPOINT ["soloist"]
CMD ["run", "--wait"]
