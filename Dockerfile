# The image esc-agent: both programs, the libraries they need, and nothing to log in to.
# Build it with ./dev image; docs/image.md says what is in it and how to check that.

ARG BASE_IMAGE=docker.io/library/debian:12
# As in CMakeLists.txt.
ARG VERSION=0.1.0

FROM ${BASE_IMAGE} AS build
# A time stamp of snapshot.debian.org, 20251101T000000Z: the packages of that day. Empty: today's.
ARG DEBIAN_SNAPSHOT=
WORKDIR /src
COPY image/use_snapshot.sh image/
RUN image/use_snapshot.sh "${DEBIAN_SNAPSHOT}"
COPY dev ./
RUN ./dev packages
COPY . .
RUN --mount=type=cache,id=esc-agent-ccache,target=/var/cache/ccache \
    CCACHE_DIR=/var/cache/ccache ./dev build image

FROM build AS collect
ARG VERSION
ARG SOURCE_DATE_EPOCH=0
RUN python3 -B image/collect.py --programs build/image/bin --out /image \
    --version "${VERSION}" --epoch "${SOURCE_DATE_EPOCH}"

FROM scratch
ARG VERSION
ARG REVISION=unknown
ARG SOURCE=
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="esc-agent" \
      org.opencontainers.image.description="Pulumi ESC environments for the pods of a Kubernetes node" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=collect /image/ /
ENV PATH=/usr/local/bin
WORKDIR /
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/esc-agent"]
