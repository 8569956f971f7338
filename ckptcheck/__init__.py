"""ckptcheck: if this training job dies now and is restored from its checkpoint, does it go on as if nothing had happened?"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ckptcheck.checkpoints import open_checkpoint
    from ckptcheck.errors import CkptcheckError, NotVerifiedError, UsageError
    from ckptcheck.filetools.diff import diff
    from ckptcheck.filetools.fsck import fsck
    from ckptcheck.filetools.inspect import inspect
    from ckptcheck.job import Job, Kind, Loop, LoopingJob, Restored, RestoreRefusedError, Step, Tensor
    from ckptcheck.pipeline import verify
    from ckptcheck.report.outputs.figure import plot
    from ckptcheck.report.rejudge import compare_runs, judge_folder
    from ckptcheck.report.report import Case, Report
    from ckptcheck.run.script import record
    from ckptcheck.studies.plot import plot_study
    from ckptcheck.studies.result import Study
    from ckptcheck.studies.run import study
    from ckptcheck.tolerance import Tolerance

# Names are loaded when they are first used, so that `ckptcheck --help` need not wait for pandas.
_HOMES = {
    "Case": "report.report",
    "CkptcheckError": "errors",
    "Job": "job",
    "Kind": "job",
    "Loop": "job",
    "LoopingJob": "job",
    "NotVerifiedError": "errors",
    "Report": "report.report",
    "RestoreRefusedError": "job",
    "Restored": "job",
    "Step": "job",
    "Study": "studies.result",
    "Tensor": "job",
    "Tolerance": "tolerance",
    "UsageError": "errors",
    "compare_runs": "report.rejudge",
    "diff": "filetools.diff",
    "fsck": "filetools.fsck",
    "inspect": "filetools.inspect",
    "judge_folder": "report.rejudge",
    "open_checkpoint": "checkpoints",
    "plot": "report.outputs.figure",
    "plot_study": "studies.plot",
    "record": "run.script",
    "study": "studies.run",
    "verify": "pipeline",
}
__all__ = [
    "Case",
    "CkptcheckError",
    "Job",
    "Kind",
    "Loop",
    "LoopingJob",
    "NotVerifiedError",
    "Report",
    "RestoreRefusedError",
    "Restored",
    "Step",
    "Study",
    "Tensor",
    "Tolerance",
    "UsageError",
    "compare_runs",
    "diff",
    "fsck",
    "inspect",
    "judge_folder",
    "open_checkpoint",
    "plot",
    "plot_study",
    "record",
    "study",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ckptcheck' has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(f"ckptcheck.{_HOMES[name]}"), name)
    return found


class _Package(ModuleType):
    """Keeps the names above: an import of the module `ckptcheck.plot` must not hide the function `ckptcheck.plot`."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
