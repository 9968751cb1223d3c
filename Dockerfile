# syntax=docker/dockerfile:1
# One image for every Dagster process: code server (default command), webserver, daemon, and `cdp` for operators.

ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
# torch's default build for Linux carries several GB of CUDA libraries; this index has the CPU build of each release.
# Point it at the CUDA index of your driver to embed on GPUs.
ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_INPUT=1 \
    PIP_CACHE_DIR=/var/cache/pip
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /src

# torch alone, then what the package depends on, then the package: a change of code rebuilds the smallest layer only.
COPY constraints.txt ./
RUN --mount=type=cache,target=/var/cache/pip \
    pip install --no-deps --index-url "${TORCH_INDEX_URL}" "$(grep '^torch==' constraints.txt)"
COPY pyproject.toml ./
RUN --mount=type=cache,target=/var/cache/pip \
    mkdir cdp_assets \
    && touch cdp_assets/__init__.py README.md LICENSE \
    && pip install -c constraints.txt '.[s3]' \
    && pip uninstall --yes cdp-assets
COPY README.md LICENSE ./
COPY cdp_assets cdp_assets
COPY dbt_project dbt_project
# The manifest is parsed here, once: the runtime user cannot write beside the package, and need not.
RUN --mount=type=cache,target=/var/cache/pip \
    pip wheel --no-deps --wheel-dir /wheels . \
    && pip install --no-deps /wheels/*.whl \
    && cd / && python -c "from cdp_assets.modeling.project import prepared_manifest; prepared_manifest()"


FROM ${PYTHON_IMAGE} AS runtime
# The group and user ids are fixed, so that volumes keep their owner from release to release.
RUN groupadd --gid 10001 cdp \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/cdp --shell /usr/sbin/nologin cdp \
    && install --directory --owner=cdp --group=cdp /opt/dagster /opt/dagster/storage /var/lib/cdp
COPY --from=build /opt/venv /opt/venv
COPY --chmod=0755 deploy/with-secrets.sh /usr/local/bin/with-secrets
COPY dagster.yaml deploy/compose/workspace.yaml /opt/dagster/
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DAGSTER_HOME=/opt/dagster \
    CDP_DATA_DIR=/var/lib/cdp \
    MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /opt/dagster
USER 10001:10001
EXPOSE 4000
# For the code server; webserver and daemon bring their own (docker-compose.yml).
HEALTHCHECK --interval=30s --timeout=15s --start-period=90s --retries=3 \
    CMD ["dagster", "api", "grpc-health-check", "--port", "4000"]
ENTRYPOINT ["with-secrets"]
CMD ["dagster", "api", "grpc", "--module-name", "cdp_assets", "--host", "0.0.0.0", "--port", "4000", "--location-name", "cdp_assets"]
