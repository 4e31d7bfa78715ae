# Sluice as an image: built with scripts/build.sh --optimised, shipped with the libraries that it loads, and no more.
# Both stages stand on the same base; for the same packages again, name it by its digest:
#   docker build --build-arg BASE=debian:13-slim@sha256:... -t sluice .
# scripts/image.sh builds it without an engine.
ARG BASE=debian:13-slim
# `build` compiles. `prebuilt` takes PREBUILT of the checkout, a folder with sluice as it was built on
# the release of BASE, and what scripts/libraries.sh wrote about it.
ARG BINARIES=build
ARG PREBUILT=build/image

FROM ${BASE} AS build
WORKDIR /src
COPY scripts/setup.sh scripts/build.sh scripts/
RUN ./scripts/setup.sh
COPY . .
RUN ./scripts/build.sh --optimised && install -D -s build/optimised/bin/sluice /out/sluice \
 && ./scripts/libraries.sh /out/sluice /out

FROM ${BASE} AS prebuilt
ARG PREBUILT
COPY ${PREBUILT}/ /out/

FROM ${BINARIES} AS binaries

FROM ${BASE}
# Beside the libraries: ca-certificates for the API's certificate, tzdata for the zones of mapping rules.
RUN --mount=type=bind,from=binaries,source=/out,target=/out apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      ca-certificates tzdata $(cat /out/libraries) \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/apt /var/log/dpkg.log \
 && install -d -o 65532 -g 65532 -m 0750 /var/lib/sluice
COPY --from=binaries /out/sluice /usr/bin/sluice
COPY --from=binaries /out/built-with /usr/share/sluice/built-with

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="sluice" \
      org.opencontainers.image.description="Event-ingestion gateway for Synerise" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# A number, so that runAsNonRoot can be checked. Only /var/lib/sluice is written to: the root file system
# can be read-only.
USER 65532:65532
VOLUME ["/var/lib/sluice"]
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
# The configuration is mounted at /etc/sluice/sluice.yaml.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["/usr/bin/sluice", "health"]
ENTRYPOINT ["/usr/bin/sluice"]
CMD ["serve"]
