# The service: tru, the demo model, the page, and an FFmpeg built for just the formats that tru
# reads; no compiler, no Python. From the repository's root:
#
#   deploy/build_images.sh                            both images, with labels and SBOM
#   docker build -f deploy/api.Dockerfile -t tru-api .
#
# For NVIDIA GPUs, with ggml's CUDA back end:
#
#   deploy/build_images.sh cuda                       tru-api:cuda
#   docker build -f deploy/api.Dockerfile -t tru-api:cuda --build-arg CUDA=ON .
ARG BUILD_BASE=debian:12-slim
ARG RUN_BASE=debian:12-slim

# FFmpeg from Debian's source package, with its security patches. A decoder that is not built cannot
# be attacked.
FROM ${BUILD_BASE} AS ffmpeg
RUN cd /etc/apt && touch sources.list \
 && sed -n 's/^deb /deb-src /p' sources.list > sources.list.d/sources-too.list \
 && find sources.list.d -name '*.sources' -exec sed -i 's/^Types: deb$/Types: deb deb-src/' {} + \
 && apt-get update \
 && apt-get install -y --no-install-recommends \
      build-essential dpkg-dev nasm pkg-config libdav1d-dev zlib1g-dev
WORKDIR /ffmpeg
RUN apt-get source ffmpeg
COPY deploy/build_ffmpeg.sh ./
RUN cd ffmpeg-*/ && bash ../build_ffmpeg.sh /ffmpeg/installed \
 && dpkg-parsechangelog -S Version > /ffmpeg/installed/version

FROM ${BUILD_BASE} AS tools
WORKDIR /src
COPY tools/setup.sh tools/
COPY deploy/install_build_packages.sh deploy/
RUN bash deploy/install_build_packages.sh \
 && apt-get install -y --no-install-recommends libdav1d-dev
COPY tools/fetch_ggml tools/
ARG EXTRA_CA
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt
RUN printf '%s\n' "$EXTRA_CA" >> $PIP_CERT && tools/fetch_ggml

# ggml's CUDA back end takes long to build. It depends on nothing of TRU's, so that a change there
# does not build it again.
FROM tools AS cuda
COPY cmake/Ggml.cmake cmake/
COPY deploy/cuda deploy/cuda
ARG CUDA=OFF
# Such as "86-real;90-real". None means those that ggml chooses: every GPU since Turing (75).
ARG CUDA_ARCHITECTURES=
RUN mkdir /cuda && if [ "$CUDA" = ON ]; then deploy/cuda/build.sh /cuda; fi

FROM tools AS build
COPY --from=ffmpeg /ffmpeg/installed /ffmpeg/installed
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY src src
# No CPU_VARIANTS means all that ggml has.
ARG CPU_VARIANTS=
RUN PKG_CONFIG_PATH=/ffmpeg/installed/lib/pkgconfig \
    cmake --preset release -DTRU_TESTS=OFF -DTRU_CPU_VARIANTS=${CPU_VARIANTS} \
 && ninja -C build tru
COPY LICENSE ./
COPY models models
COPY deploy/healthcheck.sh deploy/
RUN DESTDIR=/rootfs cmake --install build --prefix /usr/lib/tru --strip \
 && mkdir -p /rootfs/usr/lib/tru/lib \
 && cp -P /ffmpeg/installed/lib/lib*.so.* /rootfs/usr/lib/tru/lib/ \
 && cp /ffmpeg/installed/version /rootfs/usr/lib/tru/share/tru/ffmpeg-version \
 && install -D -m 0755 deploy/healthcheck.sh /rootfs/usr/lib/tru/bin/healthcheck

FROM ${BUILD_BASE} AS page
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates python3-pip
ARG EXTRA_CA
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
WORKDIR /src
COPY tools tools
COPY web web
COPY docs docs
COPY models/demo/samples models/demo/samples
RUN printf '%s\n' "$EXTRA_CA" >> $PIP_CERT && tools/build_web

FROM ${RUN_BASE}
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="TRU" \
      org.opencontainers.image.description="Ask a video a question" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates tini \
      libboost-json1.81.0 libfmt9 libpcre2-8-0 libutf8proc2 libjpeg62-turbo libpng16-16 \
      libprometheus-cpp-core1.0 libdav1d6 libcurl4 libbrotli1 zlib1g libstdc++6 \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*.log /var/log/apt /usr/share/doc \
      /usr/share/man /usr/share/locale \
 && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin tru \
 && install -d -o tru -g tru -m 0700 /data /models
COPY --from=build /rootfs/usr/lib/tru /usr/lib/tru
COPY --from=cuda /cuda /usr/lib/tru
COPY --from=page /src/web/out /usr/lib/tru/share/tru/web
# The driver's libcuda.so.1 comes from the host.
RUN cd /usr/lib/tru \
 && ! LD_LIBRARY_PATH=lib ldd bin/tru bin/libggml-*.so lib/*.so.* | grep 'not found' \
    | grep -v 'libcuda\.so\.1'
USER 10001:10001
ENV PATH=/usr/lib/tru/bin:$PATH LD_LIBRARY_PATH=/usr/lib/tru/lib \
    HOST=0.0.0.0 PORT=8000 DATA_DIR=/data HF_HOME=/models UPLOAD_DIR=/tmp/tru
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --retries=3 CMD ["healthcheck"]
ENTRYPOINT ["tini", "--", "tru"]
CMD ["serve"]
