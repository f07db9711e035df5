"""A testing machine's log in the layouts of Zwick, Instron and MTS."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from hpc_jobs.measurement.camera.machine import MachineLog

Writer = Callable[[Path, MachineLog], str]


def write_zwick_german(folder: Path, log: MachineLog) -> str:
    """testXpert, German: Latin-1, tabs, decimal commas, N."""
    head = [
        '"aktuelle Probe"\t"17"',
        '"Einspannlänge"\t60\t"mm"',
        '"Probenbreite b0"\t"nicht bekannt"',
        '"Prüfgeschwindigkeit"\t3\t"mm/min"',
        '"Vorkraft"\t20\t"N"',
        '"Kraftmaximum"\t"nicht bekannt"',
        '"Datum"\t"04.03.2026"',
        '"Prüfzeit"\t"Standardweg"\t"Standardkraft"\t"Dehnung"\t"Traverse abs."',
        '"s"\t"mm"\t"N"\t"%"\t"mm"',
    ]
    unused = 0 * log.times_s
    columns = [log.times_s, log.travel_mm, log.forces_n, unused, 785.175 + log.travel_mm]
    rows = [line.replace(".", ",") for line in _rows(columns, "\t")]
    (folder / "zwick.csv").write_text("\n".join([*head, *rows, ""]), encoding="latin-1")
    return "zwick.csv"


def write_zwick(folder: Path, log: MachineLog) -> str:
    """testXpert, English: commas, decimal points, N."""
    head = [
        '"Gage length, standard travel",30,"mm"',
        '"Extensometer",""',
        '"Load cell",""',
        '"Operator",""',
        '"v1",3,"mm/min"',
        '"Time","Crosshead absolute","Standard travel","Standard force","Capteur de course"',
        '"s","mm","mm","N","mm"',
    ]
    columns = [log.times_s, 1190.55 + log.travel_mm, log.travel_mm, log.forces_n]
    rows = _rows([*columns, 4.97961 + 0 * log.times_s], ",")
    (folder / "zwick.TRA").write_text("\n".join([*head, *rows, ""]), encoding="latin-1")
    return "zwick.TRA"


def write_instron(folder: Path, log: MachineLog) -> str:
    """Bluehill's raw data: quoted numbers, kN."""
    head = ['"Time","Extension","Load"', '"(s)","(mm)","(kN)"']
    columns = [log.times_s, log.travel_mm, log.forces_n / 1000]
    rows = [f'"{line}"' for line in _rows(columns, '","')]
    (folder / "instron.csv").write_text("\n".join([*head, *rows, ""]))
    return "instron.csv"


def write_mts(folder: Path, log: MachineLog) -> str:
    """MTS 793 with German numbers: tabs, decimal commas, kN, the travel negative in tension."""
    head = [
        "MTS793|MPT|DEU|x|x|,|.|:|49|1|1|A",
        "",
        "Bediener Information\t\t\t\t\t\tZeit:\t78,494141\ts\t04.03.2026 07:20:41",
        "Bemerkungen\tweggeregelt",
        "Bediener Information Ende",
        "",
        "Datenerfassung\t\t\t\t\t\tZeit:\t78,994141\ts\t04.03.2026 07:20:42",
        "Datum\tLaufzeit\tCh 1 Kraft\tCh 1 Weg",
        "d\ts\tkN\tmm",
    ]
    columns = [46085 + 0 * log.times_s, 79 + log.times_s, log.forces_n / 1000, -log.travel_mm]
    rows = [line.replace(".", ",") for line in _rows(columns, "\t")]
    (folder / "mts.csv").write_text("\n".join([*head, *rows, ""]), encoding="utf-8")
    return "mts.csv"


def _rows(columns: Sequence[np.ndarray], between: str) -> list[str]:
    table = np.column_stack(list(columns))
    row = between.join(["%.8g"] * table.shape[1])
    return [row % tuple(line) for line in table.tolist()]


MACHINES: dict[str, tuple[str, Writer]] = {
    "zwick_german": ("zwick", write_zwick_german),
    "zwick": ("zwick", write_zwick),
    "instron": ("instron", write_instron),
    "mts": ("mts", write_mts),
}
"""Name -> the format's name in a description file, and its writer."""
