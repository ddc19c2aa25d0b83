#!/bin/bash
# Succeeds when the service in this container is ready to answer. Needs nothing but bash.
set -eu
exec 3<>"/dev/tcp/127.0.0.1/${PORT:-8000}"
printf 'GET /v1/ready HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
read -r _ status _ <&3
[ "$status" = 200 ]
