"""The C++ library, as api.h declares it, through ctypes."""

import ctypes
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.fem.materials.yield_function import YieldFunction
from hpc_jobs.fem.native.build import BUILT, NotBuilt, library_path, machine
from hpc_jobs.fem.native.symmetry import Part
from hpc_jobs.fem.specimen.mesh import FloatArray

PATHS = ("portable", "avx2", "avx512")

_DOUBLES = ctypes.POINTER(ctypes.c_double)


class _Setup(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int) for name in ("elements", "unknowns", "half_band")),
        ("gradients", _DOUBLES),
        ("volumes", _DOUBLES),
        ("dofs", ctypes.POINTER(ctypes.c_int)),
        ("signs", _DOUBLES),
        ("force_factor", ctypes.c_double),
        ("patches", ctypes.c_int),
        ("quantities", ctypes.c_int),
        ("patch_weights", _DOUBLES),
        *((name, ctypes.c_double) for name in ("poisson", "tolerance", "point_tolerance")),
        ("cut_back", ctypes.c_int),
    )


class _Sheet(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_double) for name in ("young", "cos2", "sin2")),
        ("hardening_values", ctypes.c_int),
        ("hardening", _DOUBLES),
        ("isotropic", _DOUBLES),
        ("end_displacement", ctypes.c_double),
        ("steps", ctypes.c_int),
        ("times", _DOUBLES),
        ("is_output", ctypes.POINTER(ctypes.c_ubyte)),
    )


class _Report(ctypes.Structure):
    _fields_ = (
        ("status", ctypes.c_int),
        *((name, ctypes.c_double) for name in ("time", "force", "largest_plastic_strain")),
        *((name, ctypes.c_int) for name in ("steps", "cut_backs", "stiffnesses", "residuals")),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """The mesh of one specimen, and how it is solved."""

    part: Part
    poisson_ratio: float
    quantities: int  # patch averages: 2 strains, or 4 with thickness and plastic strain
    tolerance: float  # residual over force
    point_tolerance: float  # of the return mapping, strain
    cut_back: bool  # halve steps that fail


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loading:
    """A sheet but for its yield function, how it lies in the specimen, and how it is drawn."""

    youngs_modulus_mpa: float
    angle_deg: float
    hardening: FloatArray  # fem.hardening's array
    isotropic: FloatArray | None  # (9,) coefficients of a sheet whose trajectory to start from
    end_displacement_mm: float
    times: FloatArray  # (steps,) ends of the load steps, increasing to 1
    is_output: NDArray[np.bool_]  # (steps,)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """What one specimen measured, and how it ended."""

    values: FloatArray  # (quantities, patches, outputs)
    forces: FloatArray  # (outputs,), N
    status: int  # index into RecordStatus.NAMES
    time: float
    force: float
    largest_plastic_strain: float
    steps: int
    cut_backs: int
    stiffnesses: int
    residuals: int
    displacements: FloatArray | None = None  # (outputs, unknowns), mm, where they were asked for


class Library:
    """A loaded library; raises OSError if the file is none of ours."""

    def __init__(self, path: Path) -> None:
        dll = ctypes.CDLL(str(path))
        _check_layout(dll, path)
        dll.yl_load.restype = ctypes.c_int
        dll.yl_load.argtypes = (ctypes.c_void_p, ctypes.POINTER(_Sheet))
        dll.yl_open.restype = ctypes.c_void_p
        dll.yl_open.argtypes = (ctypes.POINTER(_Setup), ctypes.c_int)
        dll.yl_solve.restype = None
        dll.yl_solve.argtypes = (
            ctypes.c_void_p,
            _DOUBLES,
            ctypes.c_double,
            _DOUBLES,
            _DOUBLES,
            _DOUBLES,
            ctypes.POINTER(_Report),
        )
        dll.yl_yield.restype = None
        dll.yl_yield.argtypes = (_DOUBLES, ctypes.c_int, _DOUBLES, _DOUBLES)
        dll.yl_close.restype = None
        dll.yl_close.argtypes = (ctypes.c_void_p,)
        self.dll = dll

    @property
    def best_path(self) -> str:
        """Widest instruction set of this machine."""
        return PATHS[self.dll.yl_best_path()]

    def derivatives(self, material: YieldFunction, stresses: FloatArray) -> FloatArray:
        """Evaluate at stresses (n, 3): rows (n, 4) of sigma_bar and its gradient."""
        points, results = np.ascontiguousarray(stresses), np.empty((len(stresses), 4))
        coefficients = _pointer(material.coefficients)
        self.dll.yl_yield(coefficients, len(points), _pointer(points), _pointer(results))
        return results


def _layout() -> list[int]:
    """Sizes of the structures and offsets of their fields, as this module sees them."""
    return [
        number
        for structure in (_Setup, _Sheet, _Report)
        for number in (
            ctypes.sizeof(structure),
            *(getattr(structure, field[0]).offset for field in structure._fields_),
        )
    ]


def _check_layout(dll: ctypes.CDLL, path: Path) -> None:
    """Raise OSError unless the library lays its structures out as this module does."""
    if not hasattr(dll, "yl_layout"):
        raise OSError(f"{path} is no library of this kernel; build it again")
    dll.yl_layout.restype = ctypes.POINTER(ctypes.c_ulong)
    count = ctypes.c_int()
    numbers = dll.yl_layout(ctypes.byref(count))
    found = numbers[: count.value]
    if found != _layout():
        raise OSError(
            f"{path} lays its structures out as {found}, and this code as {_layout()}; "
            "build the library from the sources beside it"
        )


@lru_cache(maxsize=8)
def load(root: Path = BUILT) -> Library:
    """Load the library for this machine; raises NotBuilt, never compiles."""
    path = library_path(root)
    if not path.is_file():
        raise NotBuilt(
            f"no native FEM kernel for {machine()} in {root}; run "
            "python -m hpc_jobs.fem.native.build there, or use the numba reference"
        )
    return Library(path)


class Solver:
    """One specimen's mesh, for one sheet after the other; for one thread at a time."""

    def __init__(self, library: Library, problem: Problem, path: str | None = None) -> None:
        self._dll, self._handle = library.dll, None
        self._shape = (problem.quantities, len(problem.part.patch_weights))
        self._outputs = 0
        self._unknowns = problem.part.unknowns
        setup, kept = _setup(problem)
        index = PATHS.index(path or library.best_path)
        self._handle = self._dll.yl_open(ctypes.byref(setup), index)
        del kept
        if not self._handle:
            raise OSError(
                f"the native solver cannot use the path {PATHS[index]} on this machine (its best "
                f"is {library.best_path}), or has no memory for {setup.elements} elements"
            )

    def __del__(self) -> None:
        if self._handle:
            self._dll.yl_close(self._handle)
            self._handle = None

    def load(self, loading: Loading) -> None:
        """Take a sheet and its loading for the solutions that follow."""
        sheet, kept = _sheet(loading)
        if not self._dll.yl_load(self._handle, ctypes.byref(sheet)):
            raise OSError(f"the native solver has no memory for {sheet.steps} load steps")
        del kept
        self._outputs = int(loading.is_output.sum())

    def solve(
        self, material: YieldFunction, time_limit_s: float, *, displacements: bool = False
    ) -> Outcome:
        """Draw the specimen to its end displacement, or as far as it goes in that CPU time.

        displacements: also keep those of the unknowns at the output times; NaN where not reached.
        """
        kept = np.full((self._outputs, self._unknowns), np.nan) if displacements else None
        values = np.full((*self._shape, self._outputs), np.nan)
        forces = np.full(self._outputs, np.nan)
        report = _Report()
        self._dll.yl_solve(
            self._handle,
            _pointer(material.coefficients),
            time_limit_s,
            _pointer(values),
            _pointer(forces),
            None if kept is None else _pointer(kept),
            ctypes.byref(report),
        )
        facts: dict[str, Any] = {field[0]: getattr(report, field[0]) for field in _Report._fields_}
        return Outcome(values=values, forces=forces, displacements=kept, **facts)


def _pointer(array: NDArray[Any]) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(np.ctypeslib.as_ctypes_type(array.dtype)))


def _setup(problem: Problem) -> tuple[_Setup, list[NDArray[Any]]]:
    """Describe the problem in C; the arrays must live as long as the description is used."""
    part = problem.part
    arrays: dict[str, NDArray[Any]] = {
        "gradients": np.ascontiguousarray(part.gradients, dtype=np.float64),
        "volumes": np.ascontiguousarray(part.volumes, dtype=np.float64),
        "dofs": np.ascontiguousarray(part.dofs, dtype=np.intc),
        "signs": np.ascontiguousarray(part.signs, dtype=np.float64),
        "patch_weights": np.ascontiguousarray(part.patch_weights, dtype=np.float64),
    }
    setup = _Setup(
        elements=len(part.volumes),
        unknowns=part.unknowns,
        half_band=part.half_band,
        force_factor=part.force_factor,
        patches=len(part.patch_weights),
        quantities=problem.quantities,
        poisson=problem.poisson_ratio,
        tolerance=problem.tolerance,
        point_tolerance=problem.point_tolerance,
        cut_back=problem.cut_back,
        **{name: _pointer(array) for name, array in arrays.items()},
    )
    return setup, list(arrays.values())


def _sheet(loading: Loading) -> tuple[_Sheet, list[NDArray[Any]]]:
    """Describe a sheet in C; as above."""
    twice = 2 * np.deg2rad(loading.angle_deg)
    arrays: dict[str, NDArray[Any]] = {
        "hardening": np.ascontiguousarray(loading.hardening, dtype=np.float64),
        "times": np.ascontiguousarray(loading.times, dtype=np.float64),
        "is_output": np.ascontiguousarray(loading.is_output, dtype=np.ubyte),
    }
    if loading.isotropic is not None:
        arrays["isotropic"] = np.ascontiguousarray(loading.isotropic, dtype=np.float64)
    sheet = _Sheet(
        young=loading.youngs_modulus_mpa,
        cos2=np.cos(twice),
        sin2=np.sin(twice) if loading.angle_deg % 90 else 0.0,
        hardening_values=len(loading.hardening),
        end_displacement=loading.end_displacement_mm,
        steps=len(loading.times),
        **{name: _pointer(array) for name, array in arrays.items()},
    )
    return sheet, list(arrays.values())
