#!/bin/sh
# install.sh PART...: programs from Debian that a part of the tests stands on.
# PART: clusters (Slurm, munge, MariaDB, sshd, login shells), calculix, browser (Chromium).
# Does nothing where everything is there already; starts no service, on any kind of host.
set -eu

packages=""
programs=""
for part in "$@"; do
    case "$part" in
    clusters)
        packages="$packages slurmctld slurmd slurm-client slurmdbd munge mariadb-server openssh-server tcsh zsh fish"
        programs="$programs slurmctld slurmd sbatch sacct slurmdbd munged mariadbd mariadb-install-db sshd tcsh zsh fish"
        ;;
    calculix) packages="$packages calculix-ccx" programs="$programs ccx" ;;
    browser) packages="$packages chromium chromium-driver" programs="$programs chromium chromedriver" ;;
    *) echo "install.sh: no part '$part'; parts: clusters calculix browser" >&2; exit 2 ;;
    esac
done

PATH="$PATH:/usr/sbin:/sbin"
missing() { for program in $programs; do command -v "$program" >/dev/null || printf ' %s' "$program"; done; }
absent=$(missing)
[ -n "$absent" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "install.sh: missing:$absent; this script knows Debian only, install them by other means" >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "install.sh: missing:$absent; run as root: sudo $0 $*" >&2
    exit 1
fi

# A package's service is started unless policy-rc.d says no (101). One that is there stays.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi

export DEBIAN_FRONTEND=noninteractive
install() {
    # Configuration that an image brings along, such as /etc/ssh, stays as it is.
    apt-get install --yes --quiet --quiet --no-install-recommends \
        -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=120 $packages >/dev/null
}
# The package index of an image is often empty or stale: one refresh, then once more.
if ! install 2>/dev/null; then
    apt-get update --quiet --quiet
    install
fi

absent=$(missing)
if [ -n "$absent" ]; then
    echo "install.sh: still missing:$absent, after installing:$packages" >&2
    exit 1
fi
