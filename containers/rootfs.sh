#!/bin/sh
# Build the inference image without a Docker engine, and print the folder of its root:
#   containers/rootfs.sh FOLDER
# Debian's own Python stands for the official image; buildah takes the Dockerfile's steps. As root,
# with debootstrap and buildah; pip's own settings and folders of wheels are seen by the build.
set -eu
cd "$(dirname "$0")/.."
mkdir -p "$1"
place=$(cd "$1" && pwd)
build() { buildah --root "$place/store" --runroot "$place/run" --storage-driver vfs "$@"; }
if ! build images -q localhost/bqx-python >&2 2>/dev/null; then
    rm -rf "$place/debian"
    debootstrap --variant=minbase --include=ca-certificates bookworm "$place/debian" >&2
    cp /etc/resolv.conf "$place/debian/etc/"
    cp /etc/ssl/certs/ca-certificates.crt "$place/debian/etc/ssl/certs/"
    chroot "$place/debian" env DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        sh -c 'apt-get update && apt-get install -y --no-install-recommends \
            python3 python3-venv libgomp1 && apt-get clean' >&2
    container=$(build from scratch)
    build copy -q "$container" "$place/debian" / >&2
    build config --env PATH=/usr/local/bin:/usr/bin:/bin "$container" >&2
    build commit -q --rm "$container" localhost/bqx-python >&2
    rm -rf "$place/debian"
fi
volumes=
for path in /etc/pip.conf /etc/xdg/pip /opt/wheels; do
    [ ! -e "$path" ] || volumes="$volumes -v $path:$path:ro"
done
# shellcheck disable=SC2086
build bud --isolation chroot $volumes --build-arg BASE=localhost/bqx-python \
    -f containers/Dockerfile --target inference -t localhost/bqx-ml-inference . >&2
build mount "$(build from localhost/bqx-ml-inference)"
