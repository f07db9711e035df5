"""A decision of the gate as people read it: Markdown for Airflow's page, HTML for MLflow's."""

from html import escape

from hpc_jobs.contract.gate import Check, DecisionDocument

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;"
    "color:#1b1b1b}table{border-collapse:collapse;width:100%}td,th{text-align:left;"
    "padding:.4rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}"
    ".yes{color:#1b7837}.no{color:#b2182b}small{color:#666}"
)


def markdown(document: DecisionDocument) -> str:
    """Say what speaks for and against a challenger."""
    lines = [f"**{_cell(document.decision.reason)}**", ""]
    lines += ["| asked | answer |", "|---|---|"]
    for check in document.decision.checks:
        lines.append(f"| {_mark(check)} {check.name} | {_cell(check.sentence)} |")
    return "\n".join([*lines, "", _provenance(document)])


def html(document: DecisionDocument) -> str:
    """Return one self-contained page."""
    rows = "".join(
        f'<tr><td class="{"yes" if one.passed else "no"}">{_mark(one)} {escape(one.name)}</td>'
        f"<td>{escape(one.sentence)}</td></tr>"
        for one in document.decision.checks
    )
    title = f"{escape(document.model)}, {escape(document.campaign)}: the gate's decision"
    tone = "yes" if document.decision.promoted else "no"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style><h1>{title}</h1>"
        f'<p class="{tone}"><b>{escape(document.decision.reason)}</b></p>'
        f"<table><tr><th>asked</th><th>answer</th></tr>{rows}</table>"
        f"{_word(document)}<p><small>{escape(_provenance(document))}</small></p></html>"
    )


def _mark(check: Check) -> str:
    return "✓" if check.passed else "✗"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _word(document: DecisionDocument) -> str:
    word = document.decision.word
    if word is None:
        return ""
    said = f"{word.by or 'nobody'}: {word.answer}. {word.reason}"
    return f"<h2>A person's word</h2><p>{escape(said)} <small>{escape(word.at)}</small></p>"


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
