"""ckptcheck: if this training job dies now and is restored from its checkpoint, does it go on as if nothing had happened?"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ckptcheck.errors import CkptcheckError, NotVerifiedError, UsageError
    from ckptcheck.job import Job, Kind, Restored, RestoreRefusedError, Step, Tensor
    from ckptcheck.plot import plot
    from ckptcheck.report import Case, Report
    from ckptcheck.verify import verify

# Names are loaded when they are first used, so that `ckptcheck --help` need not wait for pandas.
_HOMES = {
    "Case": "report",
    "CkptcheckError": "errors",
    "Job": "job",
    "Kind": "job",
    "NotVerifiedError": "errors",
    "Report": "report",
    "RestoreRefusedError": "job",
    "Restored": "job",
    "Step": "job",
    "Tensor": "job",
    "UsageError": "errors",
    "plot": "plot",
    "verify": "verify",
}
__all__ = [
    "Case",
    "CkptcheckError",
    "Job",
    "Kind",
    "NotVerifiedError",
    "Report",
    "RestoreRefusedError",
    "Restored",
    "Step",
    "Tensor",
    "UsageError",
    "plot",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ckptcheck' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"ckptcheck.{_HOMES[name]}"), name)
    # The import has put the module of the same name here; the function is what is meant.
    globals()[name] = found
    return found
