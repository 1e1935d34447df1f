# Builds the program with the official Swift image, and leaves it on a plain Debian with only what it needs to run:
#
#   docker build -t tessera .
#   docker run --rm -v "$PWD:/media" tessera run /pipelines/grid.json \
#       --set inputs=/media/a.webm,/media/b.mp4 --set output=/media/grid.webm
FROM swift:6.3.1-bookworm AS build
WORKDIR /tessera
# The packages change less often than the sources: a layer of their own.
COPY .swift-version ./
COPY script/bootstrap script/lib.sh script/
RUN script/bootstrap
COPY Package.swift ./
COPY Sources Sources
COPY Tests Tests
COPY Benchmarks Benchmarks
RUN swift build --configuration release --product tessera --static-swift-stdlib \
    && install -D --strip "$(swift build --configuration release --show-bin-path)/tessera" /out/tessera

FROM debian:bookworm-slim
COPY .swift-version /tmp/tessera/
COPY script/bootstrap script/lib.sh /tmp/tessera/script/
RUN /tmp/tessera/script/bootstrap --runtime && rm -rf /tmp/tessera /var/lib/apt/lists/*
COPY --from=build /out/tessera /usr/local/bin/tessera
COPY pipelines /pipelines
WORKDIR /media
ENTRYPOINT ["tessera"]
CMD ["--help"]
