#!/bin/sh
# After this, the programs that tests start are installed (Debian and Ubuntu): Ceph as an S3 store with real
# authentication, and promtool to try the alert rules. Nothing is done if they are there.
set -eu

missing=
for program in ceph ceph-mon ceph-osd ceph-authtool monmaptool radosgw radosgw-admin promtool; do
    command -v "$program" >/dev/null || missing="$missing $program"
done
if [ -z "$missing" ]; then
    exit 0
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "installing$missing needs root: run this as root, or install sudo" >&2
        exit 1
    fi
    as_root=sudo
fi
$as_root apt-get update -qq
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    ceph-mon ceph-osd radosgw prometheus
