"""Errors that answer "retry?".

ClusterError
├── TransportError          connection lost: retry
│   ├── PollutedReply       what came is no answer: never believed; retry, and mend the login shell
│   └── SessionsTaken       no room for one more command on a connection that is well: wait
├── NeedsLogin              credentials refused: wait for a person
│   └── HostKeyRefused      not the host that was pinned: never connect, wait for a person
├── SubmissionRefused       the scheduler said no: fail, show its words
│   ├── BudgetExceeded      the campaign's core-hours do not suffice: fail
│   └── LimitReached        no room for so many jobs now: submit fewer, or later
│       └── ArrayTooLarge   never room for so many in one array: submit fewer
├── AmbiguousReply          may have happened: look before acting
├── WorkspaceRefused        the workspace tools said no: fail, show their words
├── RemoteFileError         a file cannot be read or written: fail, name it
└── ArrayFailed             elements ended badly: carries indices and causes
"""

from collections.abc import Mapping


class ClusterError(Exception):
    """Base of the errors below."""


class TransportError(ClusterError):
    """The connection was lost or never made; the cluster may be well."""


class PollutedReply(TransportError):
    """Something else than the command printed into its answer, such as a login shell's banner."""


class SessionsTaken(TransportError):
    """The server refuses one more session on a connection that is well (sshd's MaxSessions)."""


class NeedsLogin(ClusterError):
    """The credentials were refused; waiting helps only once a person has renewed them."""


class HostKeyRefused(NeedsLogin):
    """The host showed a key other than the pinned one."""


class SubmissionRefused(ClusterError):
    """The scheduler rejected a job; the message carries its words."""


class BudgetExceeded(SubmissionRefused):
    """A job might take more core-hours than the campaign has left."""


class LimitReached(SubmissionRefused):
    """A limit on jobs is reached: fewer may be taken now, all of them as room appears."""


class ArrayTooLarge(LimitReached):
    """The site takes no array of so many elements."""


class AmbiguousReply(ClusterError):
    """A command may or may not have taken effect; look before acting."""


class WorkspaceRefused(ClusterError):
    """The workspace tools rejected a request; the message carries their words."""


class RemoteFileError(ClusterError):
    """A file on the cluster cannot be read or written."""


class ArrayFailed(ClusterError):
    """More elements failed for good than the campaign may lose."""

    def __init__(self, message: str, causes: Mapping[int, str]) -> None:
        super().__init__(message)
        self.causes = dict(causes)
