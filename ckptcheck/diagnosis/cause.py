"""Causes, the entries of the catalogue, and diagnoses: causes with their evidence in one case."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase

from ckptcheck.kinds import Kind


class Stage(str, Enum):
    """Where a tensor was lost on its way through the checkpoint."""

    OMITTED_AT_SAVE = "omitted at save"
    NOT_APPLIED_AT_LOAD = "not applied at load"
    OVERWRITTEN_AFTER_LOAD = "overwritten after load"
    NEVER_LIVE = "never live"


class Severity(str, Enum):
    """What a cause does to the training that follows."""

    BREAKS_TRAINING = "breaks training"
    CHANGES_TRAJECTORY = "changes the trajectory"
    COSMETIC = "cosmetic"


@dataclass(frozen=True)
class Start:
    """Where a difference starts to act: the first training and evaluation loss it can change.

    Both are in steps after the boundary. The evaluation at the boundary precedes any update, as
    does the loss of the next step; an evaluation after one step follows one update.
    """

    loss: float
    evaluation: float


AT_ONCE = Start(0, 0)
FIRST_STEP = Start(0, 1)
FIRST_UPDATE = Start(1, 1)  # an optimizer acts after the loss of a step
EVALUATION = Start(1, 0)
NEVER = Start(math.inf, math.inf)

# Where tensors of a kind start to act; tensors of all other kinds act at once.
STARTS = {
    Kind.METRIC: NEVER,  # reported at the end of an epoch, read by nothing
    Kind.RNG: FIRST_STEP,
    Kind.HYPERPARAMETER: FIRST_STEP,
    Kind.PYTHON: FIRST_STEP,
    Kind.COUNTER: FIRST_STEP,
    Kind.SLOT: FIRST_UPDATE,
    Kind.ACCUMULATOR: FIRST_UPDATE,
    Kind.LOSS_SCALE: FIRST_UPDATE,
    Kind.SHADOW: EVALUATION,
}


def earliest(starts: Iterable[Start]) -> Start:
    """Return where the first of several differences starts to act."""
    starts = [NEVER, *starts]
    return Start(min(start.loss for start in starts), min(start.evaluation for start in starts))


# In place of the name of a restore that reads files of the user's own, such as NumPy's.
OWN_FILES = "(own files)"
# In place of that of a command of which only the files that it left are compared.
FILES_LEFT = "(files left)"

# In a remedy: the lost tensors, the objects that hold them, and the outermost of these objects.
_NAMES, _HOLDERS, _OWNERS = "{names}", "{holders}", "{owners}"
_MOST = 3


@dataclass(frozen=True)
class Remedy:
    """What to do, for which frameworks, stages (None: unknown), judged restores; empty: all.

    `tensors` are patterns of names; a remedy with patterns is for the tensors that match one.
    `says` is what the sentence of a diagnosis must contain, such as words of an exception.
    """

    text: str
    frameworks: tuple[str, ...] = ()
    stages: tuple[Stage | None, ...] = ()
    restores: tuple[str, ...] = ()
    tensors: tuple[str, ...] = ()
    says: str = ""

    def fits(
        self,
        framework: str,
        stage: Stage | None,
        restore: str | None,
        tensor: str = "",
        sentence: str = "",
    ) -> bool:
        """Return whether the remedy is for a tensor of a case, and for what was found there."""
        limits = (self.frameworks, framework), (self.stages, stage), (self.restores, restore)
        return (
            all(not allowed or value in allowed for allowed, value in limits)
            and (not self.tensors or any(fnmatchcase(tensor, each) for each in self.tensors))
            and self.says in sentence
        )

    def about(self, tensors: Iterable[str]) -> str:
        """Return the text for these lost tensors: it may name the objects that hold them."""
        names = list(tensors)
        text = self.text.replace(_NAMES, _listed(names))
        text = text.replace(_OWNERS, _listed(name.partition("/")[0] for name in names))
        return text.replace(_HOLDERS, _listed(name.rpartition("/")[0] or name for name in names))


def _listed(names: Iterable[str]) -> str:
    every = list(dict.fromkeys(names))
    named = [f"`{name}`" for name in every[:_MOST]]
    further = len(every) - len(named)
    named += [f"{further} more"] if further else []
    *most, last = named or ["the lost objects"]
    return f"{', '.join(most)} and {last}" if most else last


# For state lost on its way through the checkpoint, on any framework.
STATE_LOST = (
    Remedy(
        "Save the lost tensors in the checkpoint, np.savez(path, **tensors), and restore them from "
        "it: tensors.update(np.load(path)).",
        stages=(Stage.OMITTED_AT_SAVE,),
    ),
    Remedy(
        "The checkpoint holds the lost tensors, but the restore did not ask for them. Read them, "
        "too: tensors.update(np.load(path)).",
        stages=(Stage.NOT_APPLIED_AT_LOAD,),
    ),
    Remedy(
        "Assign nothing to the lost tensors after the restore. Run every initialiser before it: "
        "initialise(), then restore(path).",
        stages=(Stage.OVERWRITTEN_AFTER_LOAD,),
    ),
    Remedy(
        "Save the lost tensors in the checkpoint, np.savez(path, **tensors). Restore them from it, "
        "tensors.update(np.load(path)), and assign nothing to them afterwards."
    ),
)


@dataclass(frozen=True)
class Cause:
    """One entry of the catalogue, with everything that is special about the cause.

    `summary` says what the cause is; `effect` is a predicate for its restore, or for the job if the
    cause is about the control: "`weights` loses the optimizer state". `{tensors}` in it stands for
    the tensors of the diagnosis. `signature` says how the
    cause shows, `reported` where it was met. A diagnosis fills in `sentence`, the finding with its
    numbers, and `detail`, the background; see `counts.filled` for the fields in braces.
    """

    severity: Severity
    summary: str
    effect: str
    sentence: str
    signature: str
    reported: str
    detail: str = ""
    # What to do on any framework: one text, or several remedies; the first that fits is used.
    do: str | tuple[Remedy, ...] = STATE_LOST
    # What the cause can change in a resumed run, and how far it can move a loss, relative to it.
    starts_at: Start = AT_ONCE
    loss_within: float = math.inf
    # Whether it can be accepted: after some causes the rest of the run is not comparable.
    acceptable: bool = True
    # Whether it is a fault of the control, with any restore: the run recovers all the same.
    about_the_control: bool = False
    # Whether it says which data were read.
    about_the_data: bool = False
    # Experiments that may trace it to a different cause, and the experiment that shows this cause.
    settled_by: tuple[str, ...] = ()
    shown_by: str | None = None
    # Its key in the catalogue.
    name: str = ""

    @property
    def has_example(self) -> bool:
        """Whether the sentence gives an example, which may name tensors."""
        return "{example}" in self.sentence

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        """The remedies for any framework; those of one framework are in its folder."""
        return (Remedy(self.do),) if isinstance(self.do, str) else self.do


@dataclass(frozen=True)
class Diagnosis:
    """A cause with its evidence in one case.

    `sentence` states the finding with its numbers, `detail` explains it. `stage` is the value of a
    `Stage` if the stage is known, `severity` that of a `Severity`; both are empty for a pattern of
    tensor names that is accepted.
    """

    cause: str
    stage: str | None
    sentence: str
    remedy: str
    tensors: tuple[str, ...] = ()
    detail: str = ""
    severity: str = ""


def names_of(diagnoses: Iterable[Diagnosis]) -> set[str]:
    """Return the causes of some diagnoses."""
    return {diagnosis.cause for diagnosis in diagnoses}
