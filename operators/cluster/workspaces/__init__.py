"""Dialects of workspace tools; to add one, write its module and one line here."""

from operators.cluster.workspaces.directory import Directory
from operators.cluster.workspaces.hpc_workspace import HpcWorkspace
from operators.cluster.workspaces.workspace_tool import WorkspaceDialect

WORKSPACES: dict[str, type[WorkspaceDialect]] = {
    "directory": Directory,
    "hpc_workspace": HpcWorkspace,
}
