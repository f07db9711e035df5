"""Say what this machine lacks to run the jobs, in plain words; exit code 0 if nothing.

    python3 -m hpc_jobs.tools doctor --workspace DIR

on a login or compute node, with the interpreter that the cluster's file names. Needs nothing but
the standard library, so that a bare or old interpreter is told what to install.
"""

import argparse
import json
import os
import socket
import sys
import time
from pathlib import Path

from hpc_jobs.doctor import filesystem, machine, packages
from hpc_jobs.doctor.finding import MISSING, OK, Finding
from hpc_jobs.job_folder import names

LABELS = {"ok": "ok", "note": "note", "missing": "MISSING"}


def examine(
    role: str, workspace: "str | None" = None, control_time_s: "float | None" = None
) -> "list[Finding]":
    """Look at everything that jobs of that role (cpu, gpu, both) need."""
    findings = [packages.python()]
    if control_time_s is not None:
        findings.append(machine.clock(control_time_s))
    if findings[0].level == OK:
        findings += packages.packages(role)
    findings += [machine.processors(), machine.memory()]
    if role != "gpu":
        findings.append(machine.compiler(dict(os.environ)))
    findings.append(filesystem.scratch())
    if workspace is not None:
        findings += filesystem.workspace(workspace)
    return findings


def usable(findings: "list[Finding]") -> bool:
    """Whether jobs can run."""
    return all(finding.level != MISSING for finding in findings)


def in_words(findings: "list[Finding]") -> str:
    """One line a finding, and its remedy below."""
    lines = []
    for finding in findings:
        lines.append("{:<8} {}: {}".format(LABELS[finding.level], finding.what, finding.found))
        if finding.remedy:
            lines.append("         -> " + finding.remedy)
    lines.append("usable" if usable(findings) else "NOT usable: see MISSING above")
    return "\n".join(lines)


def as_document(findings: "list[Finding]") -> "dict[str, object]":
    """For programs."""
    return {
        "host": socket.gethostname(),
        "usable": usable(findings),
        "findings": [dict(finding._asdict()) for finding in findings],
    }


def publish(folder: Path, findings: "list[Finding]", started: float) -> None:
    """Leave the findings as the result of an array element, without pydantic to write it.

    The format is that of hpc_jobs.contract.records.ElementResult.
    """
    element = int(os.environ.get("TASK_INDEX", "0"))
    lacking = [finding.what for finding in findings if finding.level == MISSING]
    result = {
        "element": element,
        "outcome": "done",
        "job_id": os.environ.get("HPC_JOB_ID", names.BY_HAND),
        "host": socket.gethostname(),
        "started": started,
        "wall_s": round(time.time() - started, 3),
        "cpu_s": round(time.process_time(), 3),
        "message": "missing: " + ", ".join(lacking) if lacking else "",
        "facts": as_document(findings),
    }
    path = folder / names.RESULTS / "{}{}".format(element, names.DOCUMENT)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(".{}.{}".format(path.name, os.getpid()))
    draft.write_text(json.dumps(result, indent=1) + "\n")
    draft.rename(path)


def main(argv: "list[str] | None" = None) -> None:
    """Run the doctor."""
    parser = argparse.ArgumentParser(prog="yieldloop doctor", description=__doc__.splitlines()[0])
    parser.add_argument("--workspace", help="folder of the workspace: tries its filesystem, too")
    parser.add_argument(
        "--role",
        choices=("cpu", "gpu", "both"),
        default="cpu",
        help="cpu: simulations; gpu: training and identification",
    )
    parser.add_argument("--now", type=float, help="the control host's Unix time, to compare clocks")
    parser.add_argument(
        "--requirements", action="store_true", help="print what to install, and do no more"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--publish-in", type=Path, help="leave a result in this job folder")
    parser.add_argument("--linger", type=float, default=0, help="s; stay alive, to be cancelled")
    parsed = parser.parse_args(argv)
    if parsed.requirements:
        print(" ".join(packages.requirements(parsed.role)))
        return
    time.sleep(parsed.linger)
    started = time.time()
    findings = examine(parsed.role, parsed.workspace, parsed.now)
    print(json.dumps(as_document(findings)) if parsed.json else in_words(findings))
    if parsed.publish_in:
        publish(parsed.publish_in, findings, started)
    sys.exit(0 if usable(findings) else 1)


if __name__ == "__main__":
    main()
