#!/bin/sh
# install.sh FOLDER: a Docker Engine with Compose v2 and BuildKit, as root on Debian, for machines that
# run none. It has a folder and a socket of its own and touches no other engine. Prints the variables
# that lead to it; does nothing where an engine answers already.
set -eu
folder=$(realpath -m "${1:?usage: tests/docker/install.sh FOLDER}")
if docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1; then exit 0; fi
if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
    echo "install.sh: no Docker Engine answers; start one, or run this as root on Debian" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
mkdir -p "$folder/config/cli-plugins" "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial"
quiet() { "$@" >>"$folder/install.log" 2>&1 || { tail -n 20 "$folder/install.log" >&2; exit 1; }; }

if ! command -v dockerd >/dev/null || ! command -v debootstrap >/dev/null; then
    # a package's service is started unless policy-rc.d says no
    [ -e /usr/sbin/policy-rc.d ] || {
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT; }
    quiet apt-get update -q
    quiet apt-get install -y -q --no-install-recommends docker.io runc iptables debootstrap
fi
# Debian 12 has neither plugin; those of Debian 13 need a C library that 12 has.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' | head -n 1)
mirror=${mirror:-http://deb.debian.org/debian}
if [ ! -x "$folder/config/cli-plugins/docker-buildx" ]; then
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb [signed-by=$keyring] $mirror trixie main" >"$folder/apt/trixie.list"
    with="-o Dir::Etc::sourcelist=$folder/apt/trixie.list -o Dir::Etc::sourceparts=-"
    with="$with -o Dir::State::lists=$folder/apt/lists -o Dir::Cache=$folder/apt/cache -o APT::Sandbox::User=root"
    quiet apt-get -q $with update
    (cd "$folder/apt" && quiet apt-get -q $with download docker-compose docker-buildx
     for package in docker-*.deb; do dpkg-deb -x "$package" unpacked; done
     cp unpacked/usr/libexec/docker/cli-plugins/* "$folder/config/cli-plugins/")
fi
cat >"$folder/daemon.json" <<JSON
{"data-root": "$folder/data", "exec-root": "$folder/exec", "pidfile": "$folder/pid",
 "hosts": ["unix://$folder/socket"], "exec-opts": ["native.cgroupdriver=cgroupfs"],
 "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 16384, "Hard": 16384}}}
JSON
export DOCKER_HOST="unix://$folder/socket" DOCKER_CONFIG="$folder/config"
if ! docker info >/dev/null 2>&1; then
    setsid nohup dockerd --config-file "$folder/daemon.json" >"$folder/dockerd.log" 2>&1 </dev/null &
    tries=0
    until docker info >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 240 ] || { tail -n 20 "$folder/dockerd.log" >&2; exit 1; }
        sleep 0.5
    done
fi
# The base image: from a registry, or made of Debian's packages where none is reached.
if ! docker image inspect debian:bookworm-slim >/dev/null 2>&1 &&
   ! docker pull --quiet debian:bookworm-slim >/dev/null 2>&1; then
    [ -d "$folder/base/etc" ] ||
        quiet debootstrap --variant=minbase --include=ca-certificates bookworm "$folder/base" "$mirror"
    tar -C "$folder/base" -c . | docker import - debian:bookworm-slim >/dev/null
fi
# An engine may answer and yet be unable to start anything, inside of another container for example.
quiet docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges \
    --publish 127.0.0.1::8080 debian:bookworm-slim true
echo "export DOCKER_HOST=$DOCKER_HOST DOCKER_CONFIG=$DOCKER_CONFIG"
