"""`yieldloop TOOL ...`: the one front door of all tools for people, beside `python -m`.

Nothing but the standard library is imported before a tool is chosen, so that `doctor` works with
the interpreter that it is to examine: bare, or older than this project.
"""

import importlib
import sys

TOOLS = {
    "predict": ("predict", "ask a trained network about records in a file"),
    "export": ("export", "write a trained network as ONNX and as a torch.export program"),
    "import-measurement": ("import_measurement", "turn a measurement in CSV into the HDF5 file"),
    "import-dic": ("import_dic", "turn a camera's and a machine's files into a measurement"),
    "card": ("card", "write material cards of an identified sheet: LS-DYNA, Abaqus, a table"),
    "report": ("report", "write the page of a measurement that a run has identified"),
    "tensile": ("tensile", "evaluate a tensile test: E, Rp0.2, Rm, Ag, r, hardening laws"),
    "virtual-experiment": ("virtual_experiment", "simulate the measurement of a known alloy"),
    "design-report": ("design_report", "say what a campaign's experiment will tell of its sheets"),
    "plan": ("plan", "say what a campaign will cost, and what to ask a scheduler for"),
    "times": ("times", "say where a run's time went, task by task"),
    "inspect-shard": ("inspect_shard", "say what a shard of records holds; draw it"),
    "doctor": ("doctor", "say what this machine lacks to run the jobs"),
}
"""Name on the command line -> (module of this package with a main(argv), what it does)."""


def usage() -> str:
    """List the tools, a line each."""
    width = max(map(len, TOOLS))
    lines = ["  {:<{}}  {}".format(name, width, what) for name, (_, what) in TOOLS.items()]
    head = ["usage: yieldloop TOOL ...", "", "tools:"]
    return "\n".join(head + lines + ["", "yieldloop TOOL --help says what a tool takes."])


def main(argv: "list[str] | None" = None) -> None:
    """Run the tool that is named first, with the rest of the command line."""
    given = sys.argv[1:] if argv is None else argv
    if not given or given[0] in ("-h", "--help"):
        print(usage())
        sys.exit(0 if given else 2)
    name = given[0]
    if name not in TOOLS:
        sys.exit("error: no tool '{}'; there are: {}".format(name, ", ".join(TOOLS)))
    try:
        tool = importlib.import_module("hpc_jobs.tools." + TOOLS[name][0])
    except ImportError as error:
        if name == "doctor" or (error.name or "").startswith("hpc_jobs"):
            raise
        sys.exit(
            "error: {} needs the package {}, which {} lacks; `yieldloop doctor --requirements` "
            "names what to install".format(name, error.name, sys.executable)
        )
    tool.main(given[1:])


if __name__ == "__main__":
    main()
