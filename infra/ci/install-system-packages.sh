#!/bin/sh
# After this, the Ceph programs that the store tests start are installed (Debian and Ubuntu); nothing is done if they are.
set -eu

present=yes
for program in ceph ceph-mon ceph-osd ceph-authtool monmaptool radosgw radosgw-admin; do
    command -v "$program" >/dev/null || present=no
done
if [ "$present" = yes ]; then
    exit 0
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "installing ceph-mon ceph-osd radosgw needs root: run this as root, or install sudo" >&2
        exit 1
    fi
    as_root=sudo
fi
$as_root apt-get update -qq
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ceph-mon ceph-osd radosgw
