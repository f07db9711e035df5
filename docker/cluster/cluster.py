"""One Slurm cluster in this container: munged, slurmctld, slurmd, sshd; ends when one of them does.

The hostname is the cluster's name. State that must outlive the container, the next job's id above
all, lies in /var/lib/slurm, a volume; the keys in /keys, which another container has made.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from string import Template

TEMPLATES = Path("/etc/yieldloop")
STATE = Path("/var/lib/slurm")
KEYS = Path("/keys")
MUNGE = Path("/run/munge")
USER = "hpc"
SPARE_MIB = 256  # of the container's memory, for the daemons


def main():
    """Set up, start all daemons, and wait until one ends or the container is stopped."""
    name = os.uname().nodename
    signal.signal(signal.SIGTERM, _stop)
    values = settings(name)
    prepare(values)
    daemons = [start(*argv) for argv in commands(name)]
    while all(daemon.poll() is None for daemon in daemons):
        time.sleep(1)
    ended = next(daemon for daemon in daemons if daemon.poll() is not None)
    sys.exit(f"{ended.args[0]} ended with status {ended.returncode}; see {STATE}")


def settings(name):
    """Values of the placeholders in the templates."""
    gpus = int(os.environ.get("GPUS", "0"))
    return {
        "name": name,
        "hostname": name,
        "folder": STATE,
        "munge_socket": MUNGE / "socket",
        "controller_port": 6817,
        "node_port": 6818,
        "login_port": 2222,
        "login_address": "0.0.0.0",
        "login_user": USER,
        "cpus": len(os.sched_getaffinity(0)),
        "memory_mib": max(memory_mib() - SPARE_MIB, 512),
        "gres_types": "GresTypes=gpu" if gpus else "",
        "gres": f"Gres=gpu:{gpus}" if gpus else "",
    }


def memory_mib():
    """Memory of the container, or of the machine where it has no limit, MiB."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(path).read_text()))
        except (OSError, ValueError):  # the other version of control groups, or "max"
            continue
    return total // 2**20


def prepare(values):
    """Write the setup files, and put the keys where the daemons may read them."""
    login = STATE / "login"
    for folder in (STATE / "etc", STATE / "state", STATE / "slurmctld", login / "bin"):
        folder.mkdir(parents=True, exist_ok=True)
    (STATE / "spool" / values["name"]).mkdir(parents=True, exist_ok=True)
    render("slurm.conf", STATE / "etc" / "slurm.conf", values)
    render("cluster.conf", STATE / "etc" / "cluster.conf", values)
    render("memory-polling.conf", STATE / "etc" / "memory.conf", values)
    render("sshd_config", STATE / "login" / "sshd_config", values)
    gpus = [f"Name=gpu File={path}" for path in sorted(Path("/dev").glob("nvidia[0-9]*"))]
    (STATE / "etc" / "gres.conf").write_text("\n".join(gpus) + "\n")
    home = login / "home"
    home.mkdir(exist_ok=True)
    shutil.chown(home, USER, USER)
    shutil.copy(KEYS / f"host-{values['name']}", login / "host_key")
    (login / "host_key").chmod(0o600)
    shutil.copy(KEYS / "client.pub", login / "authorized_keys")
    (login / "user_ca.pub").touch()
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    MUNGE.mkdir(mode=0o755, exist_ok=True)
    key = MUNGE / "key"
    key.unlink(missing_ok=True)
    key.touch(0o400)
    key.write_bytes(os.urandom(128))


def render(source, target, values):
    """Fill a template's placeholders."""
    target.write_text(Template((TEMPLATES / source).read_text()).substitute(values))


def commands(name):
    """Daemons in the order in which they need each other, all in the foreground."""
    conf = str(STATE / "etc" / "slurm.conf")
    munge = {"socket": "socket", "key-file": "key", "pid-file": "pid", "seed-file": "seed"}
    files = [f"--{option}={MUNGE / file}" for option, file in munge.items()]
    yield "munged", "--foreground", *files, f"--log-file={MUNGE / 'munged.log'}"
    yield "slurmctld", "-D", "-f", conf
    yield "slurmd", "-D", "-N", name, "-f", conf
    yield "/usr/sbin/sshd", "-D", "-e", "-f", str(STATE / "login" / "sshd_config")


def start(*argv):
    """Start a daemon; munged must answer before the others ask it."""
    environment = {**os.environ, "SLURM_CONF": str(STATE / "etc" / "slurm.conf")}
    daemon = subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL)
    while argv[0] == "munged" and daemon.poll() is None and not (MUNGE / "socket").exists():
        time.sleep(0.05)
    return daemon


def _stop(signum, frame):
    sys.exit(0)  # init ends the daemons with the container; slurmctld saves its state as it goes


if __name__ == "__main__":
    main()
