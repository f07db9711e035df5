"""A decision of the gate as people read it: Markdown for Airflow's page, HTML for MLflow's."""

from pathlib import Path

from hpc_jobs.contract.gate import Check, DecisionDocument
from hpc_jobs.page_style import template

TEMPLATES = Path(__file__).parent / "templates"


def markdown(document: DecisionDocument) -> str:
    """Say what speaks for and against a challenger."""
    lines = [f"**{_cell(document.decision.reason)}**", ""]
    lines += ["| asked | answer |", "|---|---|"]
    for check in document.decision.checks:
        lines.append(f"| {_mark(check)} {check.name} | {_cell(check.sentence)} |")
    return "\n".join([*lines, "", _provenance(document)])


def html(document: DecisionDocument) -> str:
    """Return one self-contained page."""
    return template(TEMPLATES, "decision.html.j2").render(
        document=document, decision=document.decision, provenance=_provenance(document)
    )


def _mark(check: Check) -> str:
    return "✓" if check.passed else "✗"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _provenance(document: DecisionDocument) -> str:
    """Which models, which records, which seeds, who decided, when."""
    parts = [f"challenger {document.model} of run {document.run_id}, version {document.version}"]
    parts.append(f"champion before: version {document.champion_before or 'none'}")
    if comparison := document.comparison:
        sealed = comparison.sealed
        parts.append(
            f"sealed test set {sealed.question} v{sealed.version} ({sealed.records} records of "
            f"run {sealed.source}, sha256 {sealed.sha256[:12]})"
        )
        parts += [f"no twin of {name}: {why}" for name, why in comparison.without_twin.items()]
        parts.append(f"noise seed {comparison.noise_seed}")
    parts.append(
        f"paired bootstrap, {document.bootstrap_draws} draws, seed {document.bootstrap_seed}"
    )
    parts.append(f"decided by {document.decision.decided_by} at {document.decided_at}")
    return "; ".join(parts)
