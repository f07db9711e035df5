"""The one-machine stack: yieldloop with two login nodes, batch queues, Airflow and MLflow."""

import argparse
import sys
from pathlib import Path

from quickstart.stack import airflow_settings, mlflow_settings
from quickstart.stack.components import mlflow_url
from quickstart.stack.layout import Layout
from quickstart.stack.supervisor import Stack, StackError
from quickstart.stack.work import queue_lines, run_lines


def main() -> None:
    """Run `python -m quickstart COMMAND`."""
    arguments = _parser().parse_args()
    layout = Layout.default()
    if arguments.root:
        layout = Layout(root=arguments.root.resolve(), checkout=layout.checkout)
    stack = Stack(layout, say=lambda line: print(line, flush=True))
    try:
        arguments.command(stack, arguments)
    except StackError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _up(stack: Stack, arguments: argparse.Namespace) -> None:
    print("starting the one-machine stack", flush=True)
    stack.up()
    print_addresses(stack)


def _down(stack: Stack, arguments: argparse.Namespace) -> None:
    known = [part.name for part in stack.components]
    unknown = sorted(set(arguments.components) - set(known))
    if unknown:
        sys.exit(f"error: no component {', '.join(unknown)}; there are: {', '.join(known)}")
    stack.down(*arguments.components)


def _status(stack: Stack, arguments: argparse.Namespace) -> None:
    row = "{:<22} {:>8}  {:<9} {:<24} {}"
    print(row.format("component", "pid", "state", "address", "log"))
    for part in stack.components:
        entry = stack.roster.running(part.name)
        state = "stopped" if not entry else "healthy" if part.healthy(entry) else "unhealthy"
        pid = str(entry.process.pid) if entry else "-"
        print(row.format(part.name, pid, state, part.address or "-", stack.layout.log(part.name)))
    for line in queue_lines(stack.layout):
        print(line)
    if any(part.airflow and stack.roster.running(part.name) for part in stack.components):
        with stack.api() as api:
            for line in run_lines(api):
                print(line)


def _campaign(stack: Stack, arguments: argparse.Namespace) -> None:
    from quickstart.campaign.command import run_campaign  # rich, which the others do without

    run_campaign(stack, arguments.name, arguments.settings)
    print_addresses(stack)


def print_addresses(stack: Stack) -> None:
    """Say where to look, and where the password is."""
    print(f"Airflow  {airflow_settings.url(stack.ports)}")
    print(f"         user {airflow_settings.USER}, password in {stack.layout.airflow_passwords}")
    print(f"MLflow   {mlflow_url(stack.ports)}")
    print(f"         user {mlflow_settings.USER}, password in {stack.layout.mlflow_passwords}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m quickstart", description=__doc__)
    parser.add_argument("--root", type=Path, help="folder of the stack's state, not .stack")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("up", help="start what does not run").set_defaults(command=_up)
    status = commands.add_parser("status", help="what runs, where, its logs; queues and runs")
    status.set_defaults(command=_status)
    down = commands.add_parser("down", help="stop everything, or the components named")
    down.set_defaults(command=_down)
    down.add_argument("components", nargs="*", metavar="COMPONENT")
    campaign = commands.add_parser("campaign", help="start what does not run; run one campaign")
    campaign.set_defaults(command=_campaign)
    campaign.add_argument("name", help="a file of dags/campaigns, without .yaml")
    campaign.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a field of the trigger form (train_records=200) or another key of the campaign "
        "(training.learning_rate=0.002)",
    )
    return parser
