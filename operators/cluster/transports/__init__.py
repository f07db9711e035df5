"""Ways to reach a cluster; to add one, write its module and one line here."""

from operators.cluster.transports.local import LocalTransport
from operators.cluster.transports.openssh import OpenSshTransport
from operators.cluster.transports.recorded import RecordedTransport
from operators.cluster.transports.ssh import SshTransport
from operators.cluster.transports.transport import Transport

TRANSPORTS: dict[str, type[Transport]] = {
    "ssh": SshTransport,
    "openssh": OpenSshTransport,
    "local": LocalTransport,
    "recorded": RecordedTransport,
}
