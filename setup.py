"""Builds the native FEM kernel on `pip install`; all else is in pyproject.toml.

Without a C++ compiler the installation succeeds, with a notice: the numba kernels serve instead.
"""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

NATIVE = Path("hpc_jobs/fem/native")
LIBRARY = "libyieldloop.so"


def _kernel_builder() -> ModuleType:
    """Load build.py by its path: the package's dependencies are not installed yet."""
    spec = importlib.util.spec_from_file_location("native_build", NATIVE.absolute() / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class BuildWithKernel(build_py):
    """Python files, then the kernel: beside the sources if editable, else into the wheel."""

    def run(self) -> None:
        """Build all; a missing compiler is no error."""
        super().run()
        builder = _kernel_builder()
        place = NATIVE if self.editable_mode else Path(self.build_lib) / NATIVE
        try:
            builder.build(place.absolute() / "built", dict(os.environ))
        except (builder.NotBuilt, OSError) as error:
            sys.stderr.write(f"notice: the native FEM kernel was not built: {error}\n")


class WheelOfThisMachine(bdist_wheel):
    """A wheel that holds a library says for which platform; one without serves everywhere."""

    def run(self) -> None:
        """Build first: only then is it known whether there is a library."""
        self.run_command("build")
        built = Path(self.get_finalized_command("build").build_lib)
        self.root_is_pure = not any(built.glob(f"**/{LIBRARY}"))
        super().run()

    def get_tag(self) -> tuple[str, str, str]:
        """Any Python 3 of this platform: ctypes knows no other ABI than C's."""
        python, abi, platform = super().get_tag()
        return (python, abi, platform) if self.root_is_pure else ("py3", "none", platform)


setup(
    cmdclass={"build_py": BuildWithKernel, "bdist_wheel": WheelOfThisMachine},
    # of every package: a template that is forgotten fails on the cluster, at the end of a campaign
    package_data={"": ["*.h", "*.hpp", "*.cpp", "*.j2", "templates/*.j2", "static/*.js"]},
)
