"""The checkpoint as a whole."""

from ckptcheck.arrays import Array
from ckptcheck.diagnosis.cause import Stage
from ckptcheck.diagnosis.findings import Findings
from ckptcheck.diagnosis.rules import checkpoint
from ckptcheck.run.digests import digest
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
# The initial values of the resumed process.
BEGUN = {name: tensor.value for name, tensor in RESUMED.initial.items()}
EVERYTHING = ("w", "w/momentum", "mean", "w/average", "step", "rng")
OLD = {name: value(name, EARLIER) for name in EVERYTHING}
UNSEEN = {
    name: value(name, BOUNDARY - 1) for name in ("w", "w/momentum", "mean", "w/average", "step")
}


def held_with(**values: Array) -> list[str]:
    """Return the digests of a checkpoint with these values in place of the control's."""
    return [
        digest(each) for each in ({name: value(name, BOUNDARY) for name in OLD} | values).values()
    ]


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
        "nothing restored, with the control's seed",
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
        # The same, but the checkpoint holds these values: the save is at fault.
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
                detail="The checkpoint that was read is of step 3. A checkpoint of step 5 was due.",
            ),
        ),
        # The state of no save: no restore can give it.
        twin=Pair(CONTROL, changed(RESUMED, boundary={"w": value("w", EARLIER - 1)})),
        twin_shows=("unexplained",),
    ),
    Fault(
        "older checkpoint, with a tensor that had its initial value then",
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
                detail="Their checkpoint is of step 3. A checkpoint of step 5 was due.",
            ),
        ),
        # Such a tensor alone has its initial value, and is no sign of an older checkpoint.
        twin=Pair(
            changed(CONTROL, initial={"mean": value("mean", EARLIER)}),
            changed(
                RESUMED, initial={"mean": value("mean", EARLIER)}, boundary={"mean": OLD["mean"]}
            ),
        ),
        twin_shows=("moving-statistics-lost",),
    ),
    Fault(
        "updated after the save",
        checkpoint.older,
        Pair(
            CONTROL,
            changed(RESUMED, boundary={"mean": OLD["mean"]}, values=held_with(mean=OLD["mean"])),
        ),
        (
            Said(
                "updated-after-save",
                "1 of 6 tensors was updated after the save: the checkpoint holds its value after 3 steps.",
                ("mean",),
                detail="The other tensors are of step 5, as they should be.",
            ),
        ),
        # The value of no save.
        twin=Pair(CONTROL, changed(RESUMED, boundary={"w": value("w", EARLIER - 1)})),
        twin_shows=("unexplained",),
    ),
    Fault(
        "one tensor of an older checkpoint, of which the newest holds the right value",
        checkpoint.older,
        Pair(
            CONTROL,
            changed(
                RESUMED,
                boundary={"mean": OLD["mean"]},
                values=[*held_with(), digest(OLD["mean"])],
            ),
        ),
        (
            Said(
                "older-checkpoint",
                "1 of 6 tensors has its value from an earlier save, after 3 steps.",
                ("mean",),
                detail="Their checkpoint is of step 3. A checkpoint of step 5 was due.",
            ),
        ),
        twin=Pair(CONTROL, RESUMED),
    ),
    Fault(
        "a checkpoint of a step at which the control was not looked at",
        checkpoint.of_unseen_step,
        Pair(CONTROL, changed(RESUMED, boundary=UNSEEN, values=list(map(digest, UNSEEN.values())))),
        (
            Said(
                "older-checkpoint",
                "5 of 6 tensors have their values from an earlier save, after 4 steps.",
                ("w", "w/momentum", "mean", "w/average", "step"),
                detail="The checkpoint that was read is of step 4. A checkpoint of step 5 was due.",
            ),
        ),
        # The values may come from anywhere: the checkpoint does not hold them.
        twin=Pair(CONTROL, changed(RESUMED, boundary=UNSEEN)),
        twin_shows=("moving-statistics-lost", "shadows-lost", "step-lost", "unexplained"),
    ),
)


@cases(FAULTS)
def test_fault_is_caught(fault: Fault) -> None:
    assert_caught(fault)


@cases(FAULTS)
def test_twin_does_not_alarm(fault: Fault) -> None:
    assert_silent_on_twin(fault)


def test_a_tensor_that_cannot_prove_a_restore_is_lost_too() -> None:
    """A tensor that starts with the control's boundary value, and differs at the boundary."""
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
