"""The task of one process of a verification."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from ckptcheck.job.schedule import Boundaries
from ckptcheck.run.folder import (
    PICKLE,
    control_of,
    crash_image_of,
    resumed_of,
    unevaluated_of,
    unsaved_of,
)

# Experiments: repeat a restore with the control's hash seed, or with the numeric attributes that
# its objects had at the boundary.
SAME_HASH = "same-hash"
REMEMBERED = "remembered"
# Repeat a restore without the evaluation at the boundary, which may have hidden a loss.
UNEVALUATED = "unevaluated"
# Repeat the second resume of a restore from the control's checkpoint of the same step.
ONCE = "once"
EXPERIMENTS = (SAME_HASH, REMEMBERED)

# Different seeds, so that control and resumed run do not share the order of their sets.
CONTROL_HASH_SEED = "1"
RESUMED_HASH_SEED = "2"


@dataclass(frozen=True)
class Task:
    """The task of one process: a control or its repetition, or, with a restore, a resumed run.

    Attributes:
        job: The name of the job.
        folder: The folder of the job's runs and crash images.
        restore: The restore of a resumed run; None in a control.
        options: Option values of a shipped job.
        steps: The requested length of the control in training steps.
        boundaries: The requested boundaries.
        boundary: The boundary that a resumed run starts from.
        after: The boundary from which the run was resumed that saved this run's checkpoint; 0: the
            control saved it.
        repeat: The number of this repetition of the control, from 1; 0: not a repetition.
        unsaved: Whether this is a control that never saves.
        trial: The name of an experiment. A control has only `UNEVALUATED`, at `boundary`.
        attributes: The numeric attributes to set after the restore, in the trial `REMEMBERED`.
        environment: Environment variables to set.
        kinds: The declared kinds of state, by pattern of the names of tensors.
        pickled: Whether the job is unpickled from its folder instead of imported by its name.
        twice: Whether runs are resumed twice: those from the first boundary save at the second one,
            and are resumed from there.
        traced: Whether to trace what the process depends on, so that its control can be reused.
    """

    job: str
    folder: str
    restore: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    steps: int | None = None
    boundaries: Boundaries = ()
    boundary: int = 0
    after: int = 0
    repeat: int = 0
    unsaved: bool = False
    trial: str = ""
    attributes: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    pickled: bool = False
    twice: bool = False
    traced: bool = False

    entry: ClassVar[str] = "ckptcheck.run.worker"

    @property
    def name(self) -> str:
        """The name of the process in progress reports."""
        if self.restore is not None:
            count = self.boundaries if isinstance(self.boundaries, int) else len(self.boundaries)
            place = ", twice" if self.after else f" @ {self.boundary}" if count > 1 else ""
            return f"{self.job} × {self.restore}{place}{' again' if self.trial else ''}"
        if self.trial:
            return f"{self.job} control @ {self.boundary} again"
        return f"{self.job} control" + (
            f" again ({self.repeat})" if self.repeat else " unsaved" if self.unsaved else ""
        )

    @property
    def pickle(self) -> Path | None:
        """The file that the job is unpickled from; None: it is imported."""
        return Path(self.folder) / PICKLE if self.pickled else None

    @property
    def is_control(self) -> bool:
        """Whether this is the control that runs are resumed from, and not a repetition of it."""
        return self.restore is None and not (self.repeat or self.unsaved or self.trial)

    @property
    def run_folder(self) -> Path:
        """The folder of the process's records."""
        job = Path(self.folder)
        if self.unsaved:
            return unsaved_of(job)
        if self.restore is not None:
            return resumed_of(job, self.restore, self.boundary, after=self.after, trial=self.trial)
        return unevaluated_of(job, self.boundary) if self.trial else control_of(job, self.repeat)

    @property
    def saved_by(self) -> Path:
        """The folder of the run that saved the checkpoint of a resumed run."""
        if self.after and self.restore is not None:
            return resumed_of(Path(self.folder), self.restore, self.after)
        return control_of(Path(self.folder))

    @property
    def image(self) -> Path:
        """The folder of the crash image that a resumed run starts from."""
        return crash_image_of(self.saved_by if self.after else Path(self.folder), self.boundary)

    @property
    def hash_seed(self) -> str:
        """The PYTHONHASHSEED of the process."""
        return (
            CONTROL_HASH_SEED
            if self.restore is None or self.trial == SAME_HASH
            else RESUMED_HASH_SEED
        )
