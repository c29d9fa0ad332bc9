"""Files of torch.save, the one place that reads pickles: nothing in them is run.

Scoring never comes here.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from ..errors import SriqaError

WAY_OUT = "save its tensors alone: torch.save(model.state_dict(), FILE)"
_SAFE_TORCH = "2.6"  # earlier ones can be made to run code (CVE-2025-32434)


def read_checkpoint(path: Path) -> Any:
    """What torch.save wrote, if it holds no more than tensors and plain values.

    Raises
    ------
    SriqaError
        If the file cannot be read, asks for anything else, or this torch is too old to refuse it.
    """
    if torch.__version__ < _SAFE_TORCH:  # compares as versions do
        raise SriqaError(
            f"reading checkpoints needs torch {_SAFE_TORCH} or newer: torch {torch.__version__} "
            "can be made to run what is in them"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        reason = error.strerror or error
        raise SriqaError(f"{path}: cannot read the checkpoint: {reason}") from None
    except UnpicklingError as error:
        # torch's own message goes on to tell how to run the file.
        asked = re.search(r"GLOBAL (\S+)", str(error))
        problem = f"asks for {asked[1]}" if asked else "holds something else than tensors"
        raise SriqaError(
            f"{path}: the checkpoint {problem}, and nothing of it was run; {WAY_OUT}"
        ) from None
    except Exception as error:  # a damaged pickle can raise whatever there is
        reason = str(error).partition(". ")[0].partition("\n")[0]
        if isinstance(error, (LookupError, EOFError)) or not reason:  # it says nothing to people
            reason = "it is no file of torch.save, or is damaged"
        raise SriqaError(f"{path}: cannot read the checkpoint: {reason}; {WAY_OUT}") from None
