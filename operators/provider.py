"""What Airflow is told of this package: the connection type `hpc`, with its form fields."""

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Entry point of group apache_airflow_provider."""
    text = {"type": ["string", "null"]}
    secret = {"type": ["string", "null"], "format": "password"}
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
                "conn-fields": {
                    "host_key": {
                        "label": "Host key",
                        "description": "Pinned: 'type base64', a line of ssh-keyscan without the "
                        "host name, compared with what the site publishes.",
                        "schema": text,
                    },
                    "key_file": {
                        "label": "Private key file",
                        "description": "Path on the control host; or paste the key itself below.",
                        "schema": text,
                    },
                    "private_key": {
                        "label": "Private key",
                        "description": "The whole key, with its BEGIN and END lines.",
                        "schema": secret,
                    },
                    "private_key_passphrase": {"label": "Passphrase", "schema": secret},
                },
                "ui-field-behaviour": {
                    "hidden-fields": ["schema"],
                    "relabeling": {"host": "Login node", "login": "User"},
                    "placeholders": {"port": "22"},
                },
            }
        ],
    }
