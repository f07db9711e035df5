"""OpenSSH's sshd as sites have it: any login shell, chatty or not, few sessions, no SFTP."""

import contextlib
import getpass
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from operators.cluster.transports.clients import connect, connect_async
from operators.cluster.transports.login import Login
from operators.cluster.transports.refusals import Refusals
from operators.cluster.transports.ssh import AsyncSshTransport, SshTransport
from tests.clusters.login import generate_key, public_key
from tests.clusters.ports import claim_ports
from tests.clusters.processes import Daemon, descendants, listens, program

CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
HostKey {folder}/rsa_host_key
AuthorizedKeysFile {folder}/authorized_keys
TrustedUserCAKeys {folder}/authority.pub
PidFile {folder}/sshd.pid
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
UseDNS no
LogLevel VERBOSE
MaxSessions {max_sessions}
MaxAuthTries 6
SetEnv HOME={folder}/home PATH={folder}/bin:/usr/local/bin:/usr/bin:/bin {environment}
ForceCommand {force}
{more}
"""


class Sshd:
    """One login node of our own account; `login` is what a person would have."""

    host = "127.0.0.1"

    def __init__(
        self,
        folder: Path,
        *,
        shell: str = "bash",
        says: str = "",
        max_sessions: int = 10,
        environment: str = "",
        umask: str = "022",
        more: str = "",
    ) -> None:
        """Make it, not yet running.

        says: a line of the login shell's start-up file, in its own language. environment: more
        variables, as sshd_config's SetEnv takes them. more: further lines of sshd_config.
        """
        self.folder, self.port, self.user = folder, claim_ports(1)[0], getpass.getuser()
        for name in ("home", "bin"):
            (folder / name).mkdir(parents=True)
        self.key = folder / "user_key"
        for key in (folder / "host_key", self.key, folder / "authority"):
            generate_key(key)
        rsa = ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f"]
        subprocess.run([*rsa, str(folder / "rsa_host_key")], check=True)
        self.authorized_keys = folder / "authorized_keys"
        shutil.copy(public_key(self.key), self.authorized_keys)
        config = folder / "sshd_config"
        config.write_text(
            CONFIG.format(
                folder=folder,
                port=self.port,
                max_sessions=max_sessions,
                force=self._login_shell(shell, says, umask),
                environment=environment,
                more=more,
            )
        )
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        sshd = shutil.which("sshd") or "/usr/sbin/sshd"
        argv = [sshd, "-D", "-e", "-f", str(config)]
        self.daemon = Daemon("sshd", argv, folder, listens(self.port))

    def _login_shell(self, shell: str, says: str, umask: str) -> str:
        """Give the account another login shell: its start-up file, then `shell -c COMMAND`."""
        path = self.folder / "login-shell"
        place = shutil.which(shell) or shell
        start = shlex.quote(f"{says}\n" if says else "")
        path.write_text(
            "#!/bin/sh\n"
            f'umask {umask}; cd "$HOME" || exit\n'
            f"[ -z {start} ] || {place} -c {start} || exit\n"
            f'exec {place} -c "$SSH_ORIGINAL_COMMAND"\n'
        )
        path.chmod(0o755)
        return str(path)

    @property
    def home(self) -> Path:
        """Where commands begin."""
        return self.folder / "home"

    def pin(self, kind: str = "host_key") -> str:
        """One of the host's public keys, "type base64"; kind "rsa_host_key" for the other."""
        return " ".join(public_key(self.folder / kind).read_text().split()[:2])

    def login(self, **changed: Any) -> Login:
        """How to log in, with some of it changed."""
        known: dict[str, Any] = {"host": self.host, "port": self.port, "user": self.user}
        known |= {"host_key": self.pin(), "key_file": str(self.key)}
        return Login(**(known | changed))

    def transport(self, refusals: Refusals | None = None, **changed: Any) -> SshTransport:
        """The worker's connection."""
        return SshTransport(lambda: connect(self.login(**changed), refusals))

    def async_transport(
        self, refusals: Refusals | None = None, **changed: Any
    ) -> AsyncSshTransport:
        """The triggerer's connection."""
        return AsyncSshTransport(lambda: connect_async(self.login(**changed), refusals))

    def sign(self, key: Path, validity: str = "-1m:+5m") -> Path:
        """Sign a key's public half, as a site's authority does."""
        argv = ["ssh-keygen", "-q", "-s", str(self.folder / "authority"), "-I", "test"]
        argv += ["-n", self.user, "-V", validity, str(public_key(key))]
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
        return key.with_name(f"{key.name}-cert.pub")

    def log(self) -> str:
        """What sshd has written."""
        return self.daemon.log.read_text(errors="replace")

    def connections(self) -> list[int]:
        """sshd processes that serve a connection."""
        return [pid for pid in descendants(self.daemon.pid) if program(pid).startswith("sshd")]

    @contextlib.contextmanager
    def running(self) -> Iterator["Sshd"]:
        """Serve for a while."""
        self.daemon.start()
        try:
            yield self
        finally:
            for pid in self.connections():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
            self.daemon.stop()
