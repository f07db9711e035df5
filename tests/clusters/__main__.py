"""`python -m tests.clusters`: start both clusters, say how to log in, stop on Ctrl-C."""

import signal
import sys
import threading

from tests.clusters.hpc_site import Site


def main() -> None:
    """Run until told to stop."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    with Site() as site:
        for cluster in site.clusters:
            login = cluster.login
            print(
                f"{cluster.name}: ssh -i {site.key_file} -p {login.port} {login.user}@{login.host}"
            )
            print(f"  host key: {login.host_key}")
        print(f"workspaces: {site.shared}\nCtrl-C stops everything and removes {site.folder}")
        sys.stdout.flush()
        stop.wait()


if __name__ == "__main__":
    main()
