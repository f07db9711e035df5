#!/bin/sh
# CalculiX from Debian, which the simulations are checked against. Does nothing where it is there.
set -eu

command -v ccx >/dev/null && exit 0
if ! command -v apt-get >/dev/null; then
    echo "install.sh: no ccx, and this script knows Debian only: https://www.calculix.de" >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "install.sh: no ccx; run as root: sudo $0" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
install() {
    apt-get install --yes --quiet --quiet --no-install-recommends \
        -o DPkg::Lock::Timeout=120 calculix-ccx >/dev/null
}
# The package index of an image is often empty or stale: one refresh, then once more.
if ! install 2>/dev/null; then
    apt-get update --quiet --quiet
    install
fi
command -v ccx >/dev/null || { echo "install.sh: ccx is still missing" >&2; exit 1; }
