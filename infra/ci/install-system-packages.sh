#!/bin/sh
# Installs the programs that tests start (Debian): Ceph as an S3 store with real authentication, Prometheus and promtool for the alert
# rules, kubectl to build the kustomization, Azurite as a store of Azure, Chromium and axe-core for the pages. Programs that exist already, from any source, are left as they are.
set -eu

missing=
packages=
need() {  # PACKAGE PROGRAM…: the package will be installed unless all its programs exist
    package=$1
    shift
    for program in "$@"; do
        if ! command -v "$program" >/dev/null; then
            missing="$missing $program"
            packages="$packages $package"
        fi
    done
}
need ceph-mon ceph ceph-mon ceph-authtool monmaptool
need ceph-osd ceph-osd
need radosgw radosgw radosgw-admin
need prometheus prometheus promtool
need kubernetes-client kubectl
need nodejs node
need npm npm
need chromium chromium
if ! command -v azurite-blob >/dev/null; then
    missing="$missing azurite-blob"
fi
axe=/usr/local/lib/axe-core
if [ ! -d "$axe/node_modules/axe-core" ]; then
    missing="$missing axe-core"
fi
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
if [ -n "$packages" ]; then
    $as_root apt-get update -qq
    # shellcheck disable=SC2086  # a list of words
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
fi
if ! command -v azurite-blob >/dev/null; then
    $as_root npm install --global --silent --no-audit --no-fund azurite@3
fi
if [ ! -d "$axe/node_modules/axe-core" ]; then
    $as_root npm install --prefix "$axe" --silent --no-audit --no-fund axe-core@4
fi
