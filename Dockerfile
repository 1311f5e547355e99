# reprise on Debian 12: built in one stage, installed as a Debian package in the other, run as a user.
#
#     docker build -t reprise .
#     docker run --rm -v "$PWD:/data" --user "$(id -u)" reprise headless-run -s me.jpg -t clip.mp4 -o out.mp4
#
# tests/lint.sh compares the packages with scripts/pins.txt and looks for the files that are copied;
# `make check-dockerfile` builds the image and swaps in it.
FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
        gcc libc6-dev make meson ninja-build pkg-config python3 \
        libavformat-dev libavcodec-dev libavutil-dev libswscale-dev libavfilter-dev \
        libswresample-dev libturbojpeg0-dev libspng-dev libwebp-dev liblcms2-dev libtiff-dev \
        libheif-dev libjansson-dev libinih-dev libssl-dev zlib1g-dev libcurl4-openssl-dev \
        libkissfft-dev libmicrohttpd-dev dpkg-dev binutils \
        npm ca-certificates \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY Makefile meson.build meson_options.txt LICENSE NEWS ./
COPY completions completions
COPY docs docs
COPY include include
COPY packaging packaging
COPY scripts scripts
COPY src src
COPY third_party third_party
COPY tools tools
RUN useradd --create-home builder && chown builder /source
USER builder
RUN REPRISE_NO_APT=1 make deb

FROM debian:12-slim
COPY --from=build /source/out /packages
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates /packages/*.deb \
    && rm -rf /var/lib/apt/lists/* /packages && useradd --create-home reprise
USER reprise
WORKDIR /data
ENTRYPOINT ["reprise"]
