#!/bin/sh
# Chromium and its driver from Debian, for the tests that look at pages as a person does.
# Does nothing where both are there already.
set -eu

missing=""
for program in chromium chromedriver; do
    command -v "$program" >/dev/null || missing="$missing $program"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "install.sh: missing:$missing; this script knows Debian only," \
         "install these programs by other means" >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "install.sh: missing:$missing; run as root: sudo $0" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
install() {
    apt-get install --yes --quiet --quiet --no-install-recommends chromium chromium-driver >/dev/null
}
# The package index of an image is often empty or stale: one refresh, then once more.
install 2>/dev/null || { apt-get update --quiet --quiet && install; }
