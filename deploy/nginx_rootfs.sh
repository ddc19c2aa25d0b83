#!/usr/bin/env bash
# Gathers a root folder that can serve the page: nginx_rootfs.sh BUILD ROOTFS, where BUILD holds
# web.nginx.conf and the exported page in web/. Run where nginx and busybox are installed.
set -euo pipefail
build="$1" rootfs="$2"

mkdir -p "$rootfs"/{bin,etc/nginx,tmp,srv,usr/sbin}
chmod 1777 "$rootfs/tmp"
cp /usr/sbin/nginx "$rootfs/usr/sbin/"
cp /bin/busybox "$rootfs/bin/wget"
cp /etc/nginx/mime.types "$build/web.nginx.conf" "$rootfs/etc/nginx/"
mv "$rootfs/etc/nginx/web.nginx.conf" "$rootfs/etc/nginx/nginx.conf"
printf 'root:x:0:0:root:/:/\nweb:x:10001:10001:web:/:/\n' >"$rootfs/etc/passwd"
printf 'root:x:0:\nweb:x:10001:\n' >"$rootfs/etc/group"

# The libraries that nginx is linked with, and the loader, at the places where it looks for them.
ldd /usr/sbin/nginx | grep -o '/[^ ]*' | while read -r library; do
  install -D -m 0755 "$(readlink -f "$library")" "$rootfs$library"
done

cp -r "$build/web" "$rootfs/srv/web"
# The page's build lists the hashes of its inline scripts: the policy comes from there.
printf 'add_header Content-Security-Policy "%s" always;\n' "$(tr -d '\n"' <"$build/web/csp.txt")" \
  >"$rootfs/etc/nginx/csp.conf"
