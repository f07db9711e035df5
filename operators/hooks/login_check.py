"""From the Connection to the scheduler: the steps of "test connection"."""

import base64
import hashlib
import logging
import socket
from typing import TYPE_CHECKING

from hpc_jobs.contract.cluster import Cluster
from operators.cluster.errors import TransportError
from operators.cluster.schedulers.scheduler import Notice
from operators.cluster.session import ClusterSession
from operators.hooks.steps import Outcome, Step, Steps, Trouble

if TYPE_CHECKING:
    from operators.cluster.transports.login import Login

log = logging.getLogger(__name__)

NETWORK_TIMEOUT_S = 10.0
MOST_AT_ONCE = 8
SILENCE = (
    "let its start-up files (~/.bashrc, ~/.cshrc, ...) print only when interactive: in sh, "
    "case $- in *i*) ...; esac; in csh, if ($?prompt) ..."
)
# A newline, "!", quotes, "$" and a backslash: shells differ in every one of them.
MARK = 'yieldloop!! it\'s "quiet"\n$HOME \\ here'


def check_login(session: ClusterSession[Cluster], steps: Steps, *, described: bool = True) -> bool:
    """Try login, shell, description, scheduler and workspaces, in this order.

    described: it has a file in dags/clusters; a Connection that is not saved has no name to find
    one by, and is tried no further than the shell.
    """
    name = session.cluster
    steps.attempt(
        "connection", f"read Connection '{name}'", lambda: _describe(session.read_login())
    )
    steps.attempt("network", "reach the first host", lambda: _reach(_first(session.read_login())))
    steps.attempt("login", "log in and run hostname", lambda: _hostname(session))
    steps.attempt("shell", "run a command and compare its output", lambda: _quiet(session))
    steps.attempt("sessions", "run several commands at once", lambda: _sessions(session))
    if not described:
        remedy = "save it, describe the cluster there, then trigger the DAG cluster_check"
        tried = "look for its file in dags/clusters"
        steps.add(Step("description", Outcome.NOTE, tried, "no file of that name", remedy))
        return steps.good
    steps.attempt("description", f"read clusters/{name}.yaml", lambda: session.site.description)
    steps.attempt("scheduler", "ask the scheduler for our jobs", lambda: _queue(session))
    if steps.good:
        for notice in survey(session):
            tried = "look for what may surprise a campaign"
            steps.add(Step("scheduler", Outcome.NOTE, tried, notice.found, notice.remedy))
    steps.attempt("workspaces", "list our workspaces", lambda: _leases(session))
    return steps.good


def _describe(login: "Login") -> str:
    kind, key = login.host_key.split()
    try:
        digest = hashlib.sha256(base64.b64decode(key)).digest()
    except ValueError:
        remedy = "put a line of `ssh-keyscan HOST` into the field 'Host key'"
        raise Trouble(f"its host key, '{kind} {key[:20]}...', is no key", remedy) from None
    fingerprint = base64.b64encode(digest).decode().rstrip("=")
    proofs = {
        "a master connection": login.control_socket,
        "a certificate": login.certificate,
        "a key": login.private_key or login.key_file,
        "a password": login.password,
    }
    proof = next((words for words, given in proofs.items() if given), "")
    if not proof:
        remedy = "give a private key, a certificate, or the socket of a master connection"
        raise Trouble(f"{login} has nothing to log in with", remedy)
    through = f" through {login.jump}" if login.jump else ""
    return f"{login} by {proof}{through}; host key {kind} SHA256:{fingerprint}"


def _first(login: "Login") -> "Login":
    """Return the host that is reached directly: those behind it are reached through it."""
    return _first(login.jump) if login.jump else login


def _reach(login: "Login") -> str:
    if login.control_socket:
        return "left to the person who opened the master connection"
    with socket.create_connection((login.host, login.port), NETWORK_TIMEOUT_S) as connection:
        connection.settimeout(NETWORK_TIMEOUT_S)
        banner = connection.recv(100).decode(errors="replace").strip()
    if not banner.startswith("SSH-"):
        remedy = "correct host and port in the Connection: something else answers there"
        raise Trouble(f"no SSH server answers, but '{banner[:60]}'", remedy)
    return f"{login.host}:{login.port} says {banner}"


def _hostname(session: ClusterSession[Cluster]) -> str:
    from operators.cluster.transports.refusals import Refusals  # it imports the SSH libraries

    Refusals().accepted(session.read_login())  # a person asks: tried at once, whatever was refused
    return session.run(["hostname"]).stdout.strip()


def survey(session: ClusterSession[Cluster]) -> list[Notice]:
    """Ask the scheduler's site for what a person should know; what does not answer has nothing."""
    command = session.scheduler.survey_command()
    try:
        found = session.scheduler.parse_survey(session.run(command)) if command else []
    except TransportError as error:
        log.info("the survey was not answered: %s", error)
        return []
    asked = session.site.memory != "per_node"
    return [notice for notice in found if not (asked and "memory" in notice.found)]


def _quiet(session: ClusterSession[Cluster]) -> str:
    """Compare what came back, and name the login shell and what it prints of its own."""
    reply = session.run(["sh", "-c", 'printf "%s" "$1"; basename "${SHELL:-?}" >&2', "probe", MARK])
    if reply.stdout != MARK:
        said = (reply.stdout.replace(MARK, "") or reply.words).strip()
        raise Trouble(f"the login shell adds output of its own: '{said[:80]}'", SILENCE)
    shell = f"{reply.stderr.strip()} hands commands and files to /bin/sh as they are"
    if noise := session.transport.noise:
        return f"{shell}; it prints '{noise[:80]}', which is cut away, but {SILENCE}"
    return f"{shell}, and prints nothing of its own; SFTP is not needed"


def _sessions(session: ClusterSession[Cluster]) -> str:
    """Say how many commands may run at once, and what follows where they are few."""
    room = session.transport.room()
    if room is None:
        return "they share the master connection, and wait where it has no room"
    if room >= MOST_AT_ONCE:
        return f"{room} at once"
    return (
        f"{room} at once, so that commands wait for one another and polls take longer; it works, "
        "but ask the site for a MaxSessions of 10 (sshd_config) if it is too slow"
    )


def _queue(session: ClusterSession[Cluster]) -> str:
    reply = session.run(session.scheduler.names_command())
    if reply.exit_code == 127 or "not found" in reply.stderr:
        raise Trouble(
            f"{session.scheduler.name}'s commands are not found: {reply.words[-200:]}",
            "correct `scheduler` in the cluster's file, or put the commands on the PATH of "
            "non-interactive logins (~/.bashrc)",
        )
    return (
        f"{session.scheduler.name} answers, {len(session.scheduler.parse_names(reply))} live jobs"
    )


def _leases(session: ClusterSession[Cluster]) -> str:
    leases = session.workspaces.list()
    return f"{session.site.workspaces.kind}, {len(leases)} of ours"
