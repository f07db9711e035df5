"""A login node: OpenSSH's sshd on a loopback port."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.clusters.processes import Daemon, descendants, listens, program
from tests.clusters.render import render


class LoginNode:
    """What a person needs to log in, and what a test does to the node."""

    host = "127.0.0.1"
    user = "root"

    def __init__(self, folder: Path, values: Mapping[str, object], port: int, key: Path) -> None:
        self.folder = folder
        self.port = port
        self.key_file = key
        folder.mkdir(parents=True)
        self.bin = folder / "bin"
        self.bin.mkdir()
        (folder / "home").mkdir()
        self._host_key = folder / "host_key"
        generate_key(self._host_key)
        self._user_ca = folder / "user_ca"
        generate_key(self._user_ca)
        self.authorized_keys = folder / "authorized_keys"
        shutil.copy(public_key(key), self.authorized_keys)
        self._known_hosts = folder / "known_hosts"
        self._known_hosts.write_text(f"[{self.host}]:{port} {self.host_key}\n")
        self._played = folder / "played.conf"
        self._played.touch()
        config = render("sshd_config", folder / "sshd_config", values)
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd locks itself up
        # sshd wants its own absolute path: it runs itself anew for each connection.
        sshd = shutil.which("sshd") or "/usr/sbin/sshd"
        argv = [sshd, "-D", "-e", "-f", str(config)]
        self.daemon = Daemon("sshd", argv, folder, listens(port))

    @property
    def host_key(self) -> str:
        """The host's public key, "type base64"."""
        return " ".join(public_key(self._host_key).read_text().split()[:2])

    def run(self, command: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Log in with OpenSSH's own client and run one line of shell."""
        with self.popen(command) as process:
            try:
                out, err = process.communicate(timeout=timeout_s)
            except BaseException:
                process.kill()
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def popen(self, command: str) -> subprocess.Popen[str]:
        """Begin to run one line of shell."""
        options = ("BatchMode=yes", "LogLevel=ERROR", "StrictHostKeyChecking=yes")
        argv = ["ssh", "-F", "none", "-i", str(self.key_file), "-p", str(self.port)]
        argv += [f"-oUserKnownHostsFile={self._known_hosts}", *(f"-o{o}" for o in options)]
        return subprocess.Popen(
            [*argv, f"{self.user}@{self.host}", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def connections(self) -> list[int]:
        """sshd processes that serve a connection."""
        if not self.daemon.running:
            return []
        return [pid for pid in descendants(self.daemon.pid) if program(pid) == "sshd"]

    def cut(self) -> None:
        """Cut every connection at once; what it had started runs on, as after a network loss."""
        for pid in self.connections():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """Refuse new connections and cut those that are."""
        serving = self.connections()
        self.daemon.stop()
        for pid in serving:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def start(self) -> None:
        """Accept connections again."""
        self.daemon.start()

    @contextlib.contextmanager
    def max_sessions(self, number: int) -> Iterator[None]:
        """Let no more sessions run at once on a connection; connections are cut."""
        config = self.folder / "sshd_config"
        content = config.read_text()
        self.stop()
        config.write_text(f"MaxSessions {number}\n{content}")
        try:
            self.start()
            yield
        finally:
            self.stop()
            config.write_text(content)
            self.start()

    @contextlib.contextmanager
    def another_host_key(self) -> Iterator[None]:
        """Show another host key, as an impostor would."""
        impostor = self.folder / "impostor_key"
        generate_key(impostor)
        halves = [(impostor, self._host_key), (public_key(impostor), public_key(self._host_key))]
        self.stop()
        _swap(halves)
        try:
            self.start()
            yield
        finally:
            self.stop()
            _swap(halves)
            for half, _ in halves:
                half.unlink()
            self.start()

    @contextlib.contextmanager
    def key_refused(self) -> Iterator[None]:
        """Refuse the login's key, as if it had expired."""
        content = self.authorized_keys.read_bytes()
        self.authorized_keys.write_bytes(b"")
        try:
            yield
        finally:
            self.authorized_keys.write_bytes(content)

    def sign(self, key: Path, validity: str) -> Path:
        """Sign a key's public half for our user, as a site's authority does; ssh-keygen's -V."""
        argv = ["ssh-keygen", "-q", "-s", str(self._user_ca), "-I", "test", "-n", self.user]
        argv += ["-V", validity, str(public_key(key))]
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
        return key.with_name(f"{key.name}-cert.pub")

    @contextlib.contextmanager
    def played(
        self, *, shell: str = "bash", banner: str = "", user: str = "", **variables: str
    ) -> Iterator[None]:
        """Let logins have another shell, print a banner, be another user's, or set variables."""
        startup = {"bash": "bash", "tcsh": "tcsh", "zsh": "zsh", "fish": "fish"}[shell]
        lines = ["#!/bin/bash", *(f"export {key}={value}" for key, value in variables.items())]
        if banner:
            lines.append(f"echo '{banner}'")
        account = f"setpriv --reuid={user} --regid=nogroup --clear-groups " if user else ""
        lines.append(f'exec {account}{startup} -c "$SSH_ORIGINAL_COMMAND"')
        forced = self.folder / "forced"
        forced.write_text("\n".join(lines) + "\n")
        forced.chmod(0o755)
        self._replay(f"ForceCommand {forced}\n")
        try:
            yield
        finally:
            self._replay("")

    def _replay(self, settings: str) -> None:
        self._played.write_text(settings)
        self.stop()  # a connection that is open would go on as before
        self.start()

    @contextlib.contextmanager
    def command(self, name: str, script: str) -> Iterator[Path]:
        """Let a shell script answer for a command; "$REAL" in it is the real one."""
        path = self.bin / name
        real = shutil.which(name) or f"/usr/bin/{name}"
        draft = path.with_suffix(".draft")
        draft.write_text(f"#!/bin/bash\nREAL={real}\n{script}\n")
        draft.chmod(0o755)
        draft.rename(path)
        try:
            yield path
        finally:
            path.unlink()


def generate_key(path: Path) -> None:
    """An Ed25519 key pair without passphrase."""
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "clusters", "-f", str(path)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def public_key(path: Path) -> Path:
    """Where ssh-keygen puts the public half."""
    return path.with_name(path.name + ".pub")


def _swap(pairs: Sequence[tuple[Path, Path]]) -> None:
    for one, other in pairs:
        mine, theirs = one.read_bytes(), other.read_bytes()
        one.write_bytes(theirs)
        other.write_bytes(mine)
