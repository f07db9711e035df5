"""Files that torch.save wrote, read without ever running what a stranger put into them."""

import pickle
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

DAMAGE = (
    *(RuntimeError, pickle.UnpicklingError, struct.error, zipfile.BadZipFile, EOFError, OSError),
    *(ValueError, TypeError, LookupError, AttributeError, AssertionError, ArithmeticError),
)
"""What torch raises, depending on where a damaged byte leads it."""


class UnreadableTensors(Exception):
    """A file that is truncated, damaged, no tensors at all, or wants code to be run."""


def safe_load(path: Path) -> Any:
    """Load tensors and plain values, to the CPU; raises UnreadableTensors.

    Only the format of torch 1.6 and later is read, a zip archive; older files are bare pickles.
    """
    try:
        if not zipfile.is_zipfile(path):
            raise UnreadableTensors("no zip archive, as torch.save writes it; truncated or foreign")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle protocols, where bytes are damaged
            return torch.load(path, map_location="cpu", weights_only=True)  # no pickled code
    except DAMAGE as error:
        raise UnreadableTensors(str(error).splitlines()[0] if str(error) else repr(error)) from None
