# The worker and the other restock commands: no TensorFlow, no root. Build from the top of the clone:
#   docker build --file deploy/worker.Dockerfile --tag restock-worker .
FROM python:3.12.12-slim-bookworm AS build
# for arm64, where Faust has no wheel
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
RUN python -m venv /opt/restock
COPY locks/worker.txt locks/worker.txt
RUN /opt/restock/bin/pip install --no-cache-dir --require-hashes --requirement locks/worker.txt
COPY pyproject.toml README.md LICENSE ./
COPY replenishment replenishment
COPY server_access server_access
COPY model_store model_store
COPY stream_app stream_app
RUN /opt/restock/bin/pip install --no-cache-dir --no-deps .

FROM python:3.12.12-slim-bookworm
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin restock \
    && install --directory --owner restock --group restock /var/lib/restock/models
COPY --from=build /opt/restock /opt/restock
ENV PATH=/opt/restock/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    RESTOCK_LOG_FORMAT=json \
    RESTOCK_METRICS_PORT=9464 \
    RESTOCK_MODELS=/var/lib/restock/models
USER 10001:10001
WORKDIR /var/lib/restock
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["restock", "health", "--quiet"]
CMD ["restock", "worker"]
