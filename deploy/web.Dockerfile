# The page alone, behind nginx on port 3000. The image holds nginx, the libraries it needs, busybox
# for the health check, and nothing else: no shell, no package manager.
#
#   docker build -f deploy/web.Dockerfile -t tru-web .
#
# Browsers reach the service at NEXT_PUBLIC_API_URL, which is fixed when the image is built.
ARG BUILD_BASE=debian:12-slim

FROM ${BUILD_BASE} AS page
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates python3-pip
ARG NEXT_PUBLIC_API_URL=http://localhost:8000
ARG EXTRA_CA
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
WORKDIR /src
COPY tools tools
COPY web web
COPY docs docs
COPY models/demo/samples models/demo/samples
RUN printf '%s\n' "$EXTRA_CA" >> $PIP_CERT \
 && NEXT_PUBLIC_API_URL=${NEXT_PUBLIC_API_URL} tools/build_web

FROM ${BUILD_BASE} AS nginx
RUN apt-get update && apt-get install -y --no-install-recommends nginx-light busybox-static
COPY deploy/web.nginx.conf deploy/nginx_rootfs.sh /build/
COPY --from=page /src/web/out /build/web
RUN bash /build/nginx_rootfs.sh /build /rootfs

FROM scratch
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="TRU web page" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=nginx /rootfs /
USER 10001:10001
EXPOSE 3000
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=10s --timeout=3s --start-period=40s --retries=3 \
  CMD ["/bin/wget", "-q", "-O", "/dev/null", "http://127.0.0.1:3000/"]
ENTRYPOINT ["/usr/sbin/nginx", "-c", "/etc/nginx/nginx.conf", "-g", "daemon off;"]
