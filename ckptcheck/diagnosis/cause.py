"""What a cause is, and a diagnosis: an entry of the catalogue with its evidence in one case."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from ckptcheck.kinds import Kind


class Stage(str, Enum):
    """Where on its way a tensor was lost."""

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
    """Where something starts to act: the first training loss and the first evaluation loss that it can change.

    Both in steps after the boundary. The evaluation at the boundary comes before any update, and so does the loss of the step
    after it; an evaluation after one step has seen one update.
    """

    loss: float
    evaluation: float


AT_ONCE = Start(0, 0)
FIRST_STEP = Start(0, 1)
FIRST_UPDATE = Start(1, 1)  # an optimizer acts after a step's loss
EVALUATION = Start(1, 0)
NEVER = Start(math.inf, math.inf)

# Where tensors of a kind start to act; those of the other kinds act at once.
STARTS = {
    Kind.METRIC: NEVER,  # an epoch reports it, nothing reads it
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
    """Return where the first of several things starts to act."""
    starts = [NEVER, *starts]
    return Start(min(start.loss for start in starts), min(start.evaluation for start in starts))


@dataclass(frozen=True)
class Remedy:
    """What to do, and in which cases: frameworks, stages (None: not known), restores being judged. Empty: in all of them."""

    text: str
    frameworks: tuple[str, ...] = ()
    stages: tuple[Stage | None, ...] = ()
    restores: tuple[str, ...] = ()

    def fits(self, framework: str, stage: Stage | None, restore: str | None) -> bool:
        """Return whether it is meant for a case."""
        asked = (self.frameworks, framework), (self.stages, stage), (self.restores, restore)
        return all(not meant or value in meant for meant, value in asked)


# For state that is lost on its way through the checkpoint, whatever saves and restores it.
STATE_LOST = (
    Remedy(
        "Save them with the checkpoint, and fill them from it in the restore.",
        stages=(Stage.OMITTED_AT_SAVE,),
    ),
    Remedy(
        "The checkpoint holds them: fill them from it in the restore.",
        stages=(Stage.NOT_APPLIED_AT_LOAD,),
    ),
    Remedy(
        "Assign nothing to them after the restore: whatever initialises them must run before it.",
        stages=(Stage.OVERWRITTEN_AFTER_LOAD,),
    ),
    Remedy(
        "Save them with the checkpoint, fill them from it in the restore, and assign nothing to them after it."
    ),
)


@dataclass(frozen=True)
class Cause:
    """One entry of the catalogue: everything that is special about a cause is declared here.

    `summary` says in one sentence what it is, `signature` how it shows, `reported` where somebody met it. `sentence` tells one
    case of it; its fields in braces are filled in by the diagnosis.
    """

    severity: Severity
    summary: str
    sentence: str
    signature: str
    reported: str
    # What to do in any framework: one text, or several, of which the first that fits is meant.
    do: str | tuple[Remedy, ...] = STATE_LOST
    # What it can change of a resumed run, and how far it can move a loss, relative to it.
    starts_at: Start = AT_ONCE
    loss_within: float = math.inf
    # Whether it can be accepted. After some of them nothing can be said of the rest of the run.
    acceptable: bool = True
    # Whether it is a fault of the control, whatever the restore: the run has recovered all the same.
    about_the_control: bool = False
    # Whether it says which data were read: other data by chance are no help.
    about_the_data: bool = False
    # Experiments that may show that something else is behind it, and the one that shows this cause itself.
    settled_by: tuple[str, ...] = ()
    shown_by: str | None = None
    # The recipe of a report card that shows how it is fixed.
    recipe: str | None = None
    # Its key in the catalogue.
    name: str = ""

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        """What to do in any framework; remedies of a framework, which come before these, are declared in its folder."""
        return (Remedy(self.do),) if isinstance(self.do, str) else self.do


@dataclass(frozen=True)
class Diagnosis:
    """A cause with its evidence: the stage if it is known, a sentence, the remedy, and the tensors concerned."""

    cause: str
    stage: str | None
    sentence: str
    remedy: str
    tensors: tuple[str, ...] = ()


def names_of(diagnoses: Iterable[Diagnosis]) -> set[str]:
    """Return the causes that are named."""
    return {diagnosis.cause for diagnosis in diagnoses}
