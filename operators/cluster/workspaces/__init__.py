"""Dialects of workspace tools; to add one, write its module and one line here."""

from operators.cluster.workspaces.base import WorkspaceDialect
from operators.cluster.workspaces.directory import Directory
from operators.cluster.workspaces.hpc_workspace import HpcWorkspace

WORKSPACES: dict[str, type[WorkspaceDialect]] = {
    "directory": Directory,
    "hpc_workspace": HpcWorkspace,
}
