"""YAML in which nothing that a person wrote is dropped, or read as another number, in silence.

PyYAML lets the last of two equal keys win, and reads 045 as 37 (octal), 1:30 as 90 (base 60) and
1_4545.6 as 14545.6, as YAML 1.1 has it and YAML 1.2 has not.
"""

import re
from typing import Any

import yaml

from hpc_jobs.contract.errors import ConfigurationError

_MERGE = "tag:yaml.org,2002:merge"
_TWO_READINGS = re.compile(r"[-+]?(0[0-9_]+|.*:.*|(?![0-9]{1,3}(_[0-9]{3})+(\.|$)).*_.*)")
"""Numbers of YAML 1.1 that people read otherwise: 045, 1:30, 1_4545.6; not 10_000."""


def read_yaml(text: str) -> Any:
    """Return the document of a text.

    Raises ConfigurationError for a key that is given twice and for a number with two readings,
    both with their lines; yaml.YAMLError for what is no YAML.
    """
    return yaml.load(text, Loader=_Strict)


class _Strict(yaml.SafeLoader):
    """A SafeLoader that refuses what has two meanings."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        first: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            line = key.start_mark.line + 1
            if key.value in first:
                raise ConfigurationError(
                    f"line {line}: '{key.value}' is given twice, first in line "
                    f"{first[key.value]}; keep one of them"
                )
            first[key.value] = line
        return node

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        node = super().compose_scalar_node(anchor)
        numeric = node.tag.endswith((":int", ":float"))
        if numeric and node.style is None and _TWO_READINGS.fullmatch(node.value):
            raise ConfigurationError(
                f"line {node.start_mark.line + 1}: {node.value} would be read as "
                f"{self.construct_object(node)}; write the number in plain digits, or "
                f"'{node.value}' in quotes if it is a name"
            )
        return node
