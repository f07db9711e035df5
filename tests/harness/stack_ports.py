"""Ports of a test's stack: it chooses them half a minute before its servers take them."""

import json
from dataclasses import asdict, fields

from quickstart.stack.layout import Layout
from quickstart.stack.ports import Ports
from tests.clusters.ports import claim_ports


def claim_stack_ports(layout: Layout) -> None:
    """Let a stack find ports remembered that no other test takes meanwhile."""
    names = [field.name for field in fields(Ports)]
    ports = Ports(**dict(zip(names, claim_ports(len(names)), strict=True)))
    layout.ports.write_text(json.dumps(asdict(ports)))
