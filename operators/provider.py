"""What Airflow is told of this package: the connection type `hpc`, with its form fields."""

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Entry point of group apache_airflow_provider."""
    return {
        "package-name": "yieldloop",
        "name": "HPC clusters",
        "description": "Array jobs, workspaces and files on HPC clusters, over SSH.",
        "hooks": [
            {"integration-name": "HPC clusters", "python-modules": ["operators.hooks.hpc"]},
        ],
        "connection-types": [
            {
                "hook-class-name": "operators.hooks.hpc.HpcHook",
                "hook-name": "HPC cluster",
                "connection-type": "hpc",
                "conn-fields": _fields(),
                "ui-field-behaviour": {
                    "hidden-fields": ["schema"],
                    "relabeling": {"host": "Login node", "login": "User"},
                    "placeholders": {"port": "22"},
                },
            }
        ],
    }


def _fields() -> dict[str, Any]:
    """Return the form's own fields: label, what it means, and whether it is a secret."""
    fields = {
        "host_key": (
            "Host key",
            "Pinned: a line of ssh-keyscan, compared with what the site publishes.",
        ),
        "key_file": (
            "Private key file",
            "Path on the control host; or paste the key itself below.",
        ),
        "private_key": (
            "Private key",
            "The whole key, with its BEGIN and END lines; line ends that a form has lost are put "
            "back.",
        ),
        "private_key_passphrase": ("Passphrase", "Of the private key, if it has one."),
        "certificate": (
            "Certificate",
            "Where the site signs keys: the content of *-cert.pub, or its path on the control "
            "host. When it expires, tasks wait and say so.",
        ),
        "proxy_jump": (
            "Jump host",
            "The id of another Connection, of this type or SSH: the host to go through, with its "
            "own user, key and pinned host key.",
        ),
        "control_socket": (
            "Control socket",
            "For one-time passwords: the socket of a connection that you open by hand with "
            "ssh -M -S; the whole command is in the task's log when it is needed.",
        ),
        "conn_timeout": ("Login timeout, s", "How long a login may take; 20 if empty."),
        "cmd_timeout": (
            "Command timeout, s",
            "For slow sites: every command is waited for at least so long.",
        ),
        "ciphers": ("Ciphers", "Names in order of preference, with commas; empty: the client's."),
        "disabled_algorithms": (
            "Disabled algorithms",
            'By kind, as JSON: {"pubkeys": ["rsa-sha2-256"]}. May stay empty.',
        ),
        "scheduler": (
            "Scheduler",
            "slurm, pbs or local; must agree with the cluster's file. May stay empty.",
        ),
        "poll_interval_s": (
            "Poll interval, s",
            "Instead of the one in the cluster's file: how often the scheduler is asked.",
        ),
    }
    kinds = {"private_key": "password", "private_key_passphrase": "password"}
    return {
        name: {
            "label": label,
            "description": description,
            "schema": {"type": ["string", "null"]}
            | ({"format": kinds[name]} if name in kinds else {}),
        }
        for name, (label, description) in fields.items()
    }
