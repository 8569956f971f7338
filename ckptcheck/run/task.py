"""What one process of a verification is to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from ckptcheck.job.schedule import Boundaries
from ckptcheck.run.folder import control_of, resumed_of, unevaluated_of, unsaved_of

# What a restore is tried again with, of the control's: its hash seed, or what its objects remembered at the boundary.
SAME_HASH = "same-hash"
REMEMBERED = "remembered"
# And without our evaluation at the boundary, which may have made good what was lost.
UNEVALUATED = "unevaluated"
EXPERIMENTS = (SAME_HASH, REMEMBERED)  # those with a thing of the control's

# Control and resumed must not share the order of their sets.
CONTROL_HASH_SEED = "1"
RESUMED_HASH_SEED = "2"


@dataclass(frozen=True)
class Task:
    """What one process is to do. Without a restore it is the control, which saves and goes on, or a repetition of it."""

    job: str
    folder: str  # the job's, where the folders of its runs and its crash images lie
    restore: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    steps: int | None = None
    boundaries: Boundaries = ()  # where to save, as it was asked for
    boundary: int = 0  # the one of them that the process is resumed from
    repeat: int = 0
    unsaved: bool = False  # a control that never saves
    # What of the control's a restore is tried again with, such as the values of `attributes`, or without; a control is run
    # again only without the evaluation at `boundary`.
    trial: str = ""
    attributes: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    entry: ClassVar[str] = "ckptcheck.run.worker"

    @property
    def name(self) -> str:
        """The process as progress shows it."""
        if self.restore is not None:
            count = self.boundaries if isinstance(self.boundaries, int) else len(self.boundaries)
            place = (
                f" @ {self.boundary}" if count > 1 else ""
            )  # one of several runs by this restore
            return f"{self.job} × {self.restore}{place}{' again' if self.trial else ''}"
        if self.trial:
            return f"{self.job} control @ {self.boundary} again"
        return f"{self.job} control" + (
            f" again ({self.repeat})" if self.repeat else " unsaved" if self.unsaved else ""
        )

    @property
    def is_control(self) -> bool:
        """Whether it is the control that the others are resumed from, and no repetition of it."""
        return self.restore is None and not (self.repeat or self.unsaved or self.trial)

    @property
    def run_folder(self) -> Path:
        """Where the process records."""
        job = Path(self.folder)
        if self.unsaved:
            return unsaved_of(job)
        if self.restore is not None:
            return resumed_of(job, self.restore, self.boundary, trial=self.trial)
        return unevaluated_of(job, self.boundary) if self.trial else control_of(job, self.repeat)

    @property
    def hash_seed(self) -> str:
        """PYTHONHASHSEED of the process."""
        return (
            CONTROL_HASH_SEED
            if self.restore is None or self.trial == SAME_HASH
            else RESUMED_HASH_SEED
        )
