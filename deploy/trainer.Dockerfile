# The trainer, with TensorFlow: reads `demand`, publishes a version, promotes it if it is better. Runs and ends.
#   docker build --file deploy/trainer.Dockerfile --tag restock-trainer .
FROM python:3.12.12-slim-bookworm AS build
# for arm64, where Faust has no wheel
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
RUN python -m venv /opt/restock
COPY locks/train.txt locks/train.txt
RUN /opt/restock/bin/pip install --no-cache-dir --require-hashes --requirement locks/train.txt
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
# Keras writes a settings file; the home directory is not ours to write to
ENV PATH=/opt/restock/bin:$PATH \
    KERAS_HOME=/run/keras \
    PYTHONUNBUFFERED=1 \
    RESTOCK_MODELS=/var/lib/restock/models
USER 10001:10001
WORKDIR /var/lib/restock
STOPSIGNAL SIGTERM
CMD ["model-store", "train"]
