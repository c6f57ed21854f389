# Ares: one image runs every service (`ares service run NAME`), every job and every command.
#
#   docker build --file deploy/images/ares.Dockerfile --tag ares:dev .        # or: make images
#
# BASE is Debian 12, or what is made of it: pin it by digest for a release.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
ARG UV_VERSION=0.13.9
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir "uv==${UV_VERSION}"
ENV PATH=/opt/uv/bin:$PATH UV_PROJECT_ENVIRONMENT=/opt/ares UV_PYTHON=/usr/bin/python3 UV_PYTHON_DOWNLOADS=never \
    UV_LINK_MODE=copy UV_CACHE_DIR=/var/cache/uv UV_COMPILE_BYTECODE=1 UV_NO_PROGRESS=1
WORKDIR /src
# What others wrote changes seldom and takes long: a layer of its own.
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/var/cache/uv uv sync --frozen --no-dev --no-install-project
COPY LICENSE README.md ./
COPY ares ares
COPY simulator simulator
COPY ingest ingest
COPY analytics analytics
COPY trader trader
COPY backtest backtest
COPY backup backup
COPY alerting alerting
COPY api api
RUN --mount=type=cache,target=/var/cache/uv uv sync --frozen --no-dev --no-editable
# What is in the image, as it is in the image.
RUN --mount=type=cache,target=/var/cache/uv \
    UV_PROJECT_ENVIRONMENT=/opt/bill uv sync --frozen --only-group supply-chain --no-install-project --quiet \
 && /opt/bill/bin/cyclonedx-py environment /opt/ares --output-format JSON --validate --output-file /sbom.json

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Ares" \
      org.opencontainers.image.description="A trading platform whose centre is a time-series database" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      ares.sbom="/usr/share/ares/sbom.json" \
      ares.sbom.format="CycloneDX"
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates openssl postgresql-client python3 restic stunnel4 \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 ares \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin ares \
 && install --directory --owner 10001 --group 10001 --mode 0750 /var/lib/ares \
 && for each in config control features models reports vault witness; do \
      install --directory --owner 10001 --group 10001 --mode 0750 "/var/lib/ares/$each"; done \
 && for each in access authority database gateway trader venue; do \
      install --directory --owner 10001 --group 10001 --mode 0700 "/run/secrets/$each"; done
COPY --from=build /opt/ares /opt/ares
COPY --from=build /sbom.json /src/LICENSE /usr/share/ares/
COPY --chmod=0755 deploy/images/answers deploy/images/make-secrets /usr/local/bin/
COPY deploy/images/gateway.conf /etc/ares/gateway.conf
COPY config /app/config
# /tmp is all that a service writes to beside its state; compiled trading kernels are kept there.
ENV PATH=/opt/ares/bin:$PATH HOME=/tmp NUMBA_CACHE_DIR=/tmp/numba PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
USER 10001:10001
# Of a service that runs with --port=9100; whoever runs something else says what to ask, or nothing.
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 CMD ["answers", "9100", "/readyz"]
ENTRYPOINT ["ares"]
CMD ["--help"]
