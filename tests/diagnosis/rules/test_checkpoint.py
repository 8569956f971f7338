"""The checkpoint as a whole."""

from ckptcheck.diagnosis.cause import Stage
from ckptcheck.diagnosis.findings import Findings
from ckptcheck.diagnosis.rules import checkpoint
from tests.builder import BOUNDARY, EARLIER, changed, control, fresh, resumed, value
from tests.diagnosis.rules.fault import (
    Fault,
    Pair,
    Said,
    assert_caught,
    assert_silent_on_twin,
    cases,
)

CONTROL = control()
RESUMED = resumed(CONTROL)
# What the resumed process begins with.
BEGUN = {name: tensor.value for name, tensor in RESUMED.initial.items()}
EVERYTHING = ("w", "w/momentum", "mean", "w/average", "step", "rng")
OLD = {name: value(name, EARLIER) for name in EVERYTHING}

FAULTS = (
    Fault(
        "nothing restored",
        checkpoint.nothing_restored,
        Pair(CONTROL, changed(RESUMED, boundary=BEGUN, asked={})),
        (
            Said(
                "nothing-restored",
                "Nothing was restored: all 6 tensors that training had changed have their initial values.",
                EVERYTHING,
                Stage.NOT_APPLIED_AT_LOAD,
            ),
        ),
        twin=Pair(
            CONTROL,
            changed(RESUMED, boundary={**BEGUN, "w": value("w", BOUNDARY)}, asked={"w": "w"}),
        ),
        twin_shows=(
            "moving-statistics-lost",
            "shadows-lost",
            "slots-lost",
            "generators-reseeded",
            "step-lost",
        ),
    ),
    Fault(
        "nothing restored, and the seed is the control's",
        checkpoint.nothing_restored,
        Pair(
            CONTROL,
            changed(
                RESUMED,
                initial=(same := {name: value(name, 0) for name in EVERYTHING}),
                boundary=same,
            ),
        ),
        (
            Said(
                "nothing-restored",
                "Nothing was restored: all 6 tensors that training had changed have their initial values.",
                EVERYTHING,
                Stage.OVERWRITTEN_AFTER_LOAD,
            ),
        ),
        twin=Pair(CONTROL, changed(RESUMED, initial=same)),
    ),
    Fault(
        "initialised again",
        checkpoint.nothing_restored,
        Pair(
            CONTROL,
            changed(
                RESUMED, boundary={**BEGUN, "w": value("drawn again", 0), "rng": value("drawn", 1)}
            ),
        ),
        (
            Said(
                "initialised-again",
                "The restore filled 6 tensors, but an initialiser overwrote them all: 4 with initial values, the rest with new ones.",
                EVERYTHING,
                Stage.OVERWRITTEN_AFTER_LOAD,
            ),
        ),
        # The same, but the checkpoint holds these very values: it was the save that saved them.
        twin=Pair(CONTROL, changed(RESUMED, boundary=BEGUN, values=[])),
        twin_shows=(
            "moving-statistics-lost",
            "shadows-lost",
            "weights-lost",
            "slots-lost",
            "generators-reseeded",
            "step-lost",
        ),
    ),
    Fault(
        "older checkpoint",
        checkpoint.older,
        Pair(CONTROL, changed(RESUMED, boundary=OLD)),
        (
            Said(
                "older-checkpoint",
                "6 of 6 tensors have their values from an earlier save, after 3 steps.",
                EVERYTHING,
            ),
        ),
        # The state of no save: nobody can have restored it.
        twin=Pair(CONTROL, changed(RESUMED, boundary={"w": value("w", EARLIER - 1)})),
        twin_shows=("unexplained",),
    ),
    Fault(
        "older checkpoint, with a tensor that was then what it is initially",
        checkpoint.older,
        Pair(
            changed(CONTROL, initial={"mean": value("mean", EARLIER)}),
            changed(
                RESUMED,
                initial={"mean": value("mean", EARLIER)},
                boundary={"w": OLD["w"], "mean": OLD["mean"]},
            ),
        ),
        (
            Said(
                "older-checkpoint",
                "2 of 6 tensors have their values from an earlier save, after 3 steps.",
                ("w", "mean"),
            ),
        ),
        # By itself such a tensor is at its initial value, and no sign of an older checkpoint.
        twin=Pair(
            changed(CONTROL, initial={"mean": value("mean", EARLIER)}),
            changed(
                RESUMED, initial={"mean": value("mean", EARLIER)}, boundary={"mean": OLD["mean"]}
            ),
        ),
        twin_shows=("moving-statistics-lost",),
    ),
)


@cases(FAULTS)
def test_fault_is_caught(fault: Fault) -> None:
    assert_caught(fault)


@cases(FAULTS)
def test_twin_does_not_alarm(fault: Fault) -> None:
    assert_silent_on_twin(fault)


def test_what_no_restore_could_show_is_not_back_either() -> None:
    """A tensor that begins with the control's value at the boundary, and has another one there."""
    pair = Pair(
        CONTROL,
        changed(
            RESUMED,
            initial={"w": value("w", BOUNDARY)},
            boundary={**BEGUN, "w": fresh("w")},
            asked={},
        ),
    )
    (found,) = checkpoint.nothing_restored(Findings(pair.comparison))
    assert found.sentence.startswith("Nothing was restored: all 5 tensors ")
    assert found.tensors == ("w/momentum", "mean", "w/average", "step", "rng", "w")
