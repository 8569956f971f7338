"""The batches and the draws of the steps after the boundary."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ckptcheck.comparison.batch_order import ORDER, DataPath
from ckptcheck.diagnosis.findings import Findings
from ckptcheck.diagnosis.rules import data
from ckptcheck.job.schedule import Schedule
from ckptcheck.run.digests import digest
from ckptcheck.run.run import Run
from tests.builder import AFTER, begun_at, changed, control, fresh, resumed, value
from tests.diagnosis.rules.fault import (
    Fault,
    Pair,
    Said,
    assert_caught,
    assert_silent_on_twin,
    by_rule,
    cases,
)

CONTROL = control()
RESUMED = resumed(CONTROL)


def reads(*batches: int | str, run: Run = RESUMED) -> Run:
    """Return a resumed run that reads the control's batches of these steps, or named ones."""
    named = (f"batch-{batch}" if isinstance(batch, int) else batch for batch in batches)
    return changed(run, batches=dict(zip(AFTER, named, strict=True)))


def draws(*drawn: Sequence[int | str], run: Run = RESUMED) -> Run:
    """Return a resumed run whose generators draw what the control drew at these steps."""
    named = [
        tuple(f"draw-{each}" if isinstance(each, int) else each for each in step) for step in drawn
    ]
    return changed(run, draws=dict(zip(AFTER, named, strict=True)))


# Each example has a letter; the control reads two in each step, the same six in each epoch.
EXAMPLES = dict(enumerate([("a", "b"), ("c", "d"), ("e", "f")] * 3))
SHOWN = changed(control(), examples=EXAMPLES)


def shows(examples: Mapping[int, tuple[str, ...]]) -> Pair:
    """Return a pair whose resumed run makes new batches of these examples."""
    read = reads("own-1", "own-2", "own-3", run=resumed(SHOWN))
    return Pair(SHOWN, changed(read, examples=examples))


TWICE = changed(control(), draws={step: (f"draw-{step}", f"other-{step}") for step in range(8)})
GLOBAL = {"initial": {"numpy's generator": "a"}, "boundary-5": {"numpy's generator": "b"}}

# Its generator is drawn from between two steps: `after-5` is what a step left behind.
DRAWN = changed(
    CONTROL,
    after={"rng": value("rng", 6)},
    generators={"next-5": {"rng": digest(value("rng", 7))}},
)
NOT_DRAWN = changed(
    CONTROL,
    after={"rng": value("rng", 6)},
    generators={"next-5": {"rng": digest(value("rng", 6))}},
)


def restarted(control: Run, *batches: int | str, **facts: Any) -> Pair:
    """Return a pair whose resumed run has lost its generator, and reads these batches."""
    run = changed(reads(*batches, run=resumed(control)), boundary={"rng": value("rng", 0)})
    return Pair(control, changed(run, **facts))


# Saved between two epochs of five steps, as the repeated examples show.
LETTERS = {step: (f"{step % 5}",) for step in range(8)}
UNKNOWN = changed(CONTROL, examples=LETTERS, schedule=Schedule(8, 5, 8))
SAMPLERS = {"initial": {"sampler.epoch": 0.0}, "boundary-5": {"sampler.epoch": 1.0}}
BY_EPOCH = changed(UNKNOWN, attributes=SAMPLERS)

FAULTS = (
    Fault(
        "the data start again, and a generator that draws none of them",
        data.batches,
        restarted(NOT_DRAWN, 0, 1, 2),
        (
            Said(
                "data-restarted",
                "From step 5 on, the resumed run reads the control's batches from step 0 on: the data start again.",
            ),
        ),
        # The batches are drawn from the generator, and follow.
        twin=restarted(DRAWN, 0, 1, 2),
        twin_shows=("generators-restarted",),
        beside=("generators-restarted",),
    ),
    Fault(
        "the order of the first epoch, by the epoch of a sampler, and a lost generator",
        data.batches,
        restarted(BY_EPOCH, 0, 1, 2, attributes={"boundary-5": {"sampler.epoch": 0.0}}),
        (
            Said(
                "data-order",
                "The resumed run repeats the data order of epoch 0 instead of that of epoch 1.",
            ),
        ),
        # The order of an epoch that begins is drawn from the generator.
        twin=restarted(UNKNOWN, 0, 1, 2),
        twin_shows=("generators-restarted",),
        beside=("generators-restarted",),
    ),
    Fault(
        "the epoch starts again",
        data.batches,
        Pair(CONTROL, reads(3, 4, 5)),
        (
            Said(
                "data-restarted",
                "From step 5 on, the resumed run reads the control's batches from step 3 on: the data start again.",
            ),
        ),
        twin=Pair(CONTROL, reads(5, 6, 7)),
    ),
    Fault(
        "the run starts again",
        data.batches,
        Pair(CONTROL, reads(0, 1, 2)),
        (
            Said(
                "data-restarted",
                "From step 5 on, the resumed run reads the control's batches from step 0 on: the data start again.",
            ),
        ),
        # The step number differs, too, and each step reads its own batch: the counter is at fault.
        twin=Pair(CONTROL, begun_at(changed(reads(0, 1, 2), boundary={"step": 0}), 0)),
        twin_shows=("step-lost",),
    ),
    Fault(
        "a skipped batch",
        data.batches,
        Pair(CONTROL, reads(6, 7, "batch-8")),
        (
            Said(
                "data-shifted",
                "From step 5 on, the resumed run reads the control's batches from step 6 on: 1 batch is skipped.",
            ),
        ),
        twin=Pair(CONTROL, reads(5, 6, 7)),
    ),
    Fault(
        "a repeated batch",
        data.batches,
        Pair(CONTROL, reads(4, 5, 6)),
        (
            Said(
                "data-shifted",
                "From step 5 on, the resumed run reads the control's batches from step 4 on: 1 batch is repeated.",
            ),
        ),
        # Started one step earlier, with the batch of that step: no fault of the data.
        twin=Pair(CONTROL, begun_at(changed(reads(4, 5, 6), boundary={"step": 4}), 4)),
        twin_shows=("step-lost",),
    ),
    Fault(
        "two repeated batches, from the next epoch on",
        data.batches,
        Pair(CONTROL, reads(5, 4, 5)),
        (
            Said(
                "data-shifted",
                "From step 6 on, the resumed run reads the control's batches from step 4 on: 2 batches are repeated.",
            ),
        ),
        twin=Pair(CONTROL, RESUMED),
    ),
    Fault(
        "the order of an earlier epoch",
        data.batches,
        Pair(CONTROL, reads(5, 0, 1)),
        (
            Said(
                "data-order",
                "The resumed run repeats the data order of epoch 0 instead of that of epoch 2.",
            ),
        ),
        twin=Pair(CONTROL, RESUMED),
    ),
    Fault(
        "the order of an earlier epoch, from the middle of an epoch on",
        data.batches,
        Pair(CONTROL, reads(2, 6, 7)),
        (
            Said(
                "data-order",
                "From step 5 on, the resumed run repeats the data order of epoch 0 instead of that of epoch 1.",
            ),
        ),
        twin=Pair(CONTROL, RESUMED),
    ),
    Fault(
        "a different order of the same examples",
        data.batches,
        shows({5: ("f", "e"), 6: ("a", "b"), 7: ("c", "d")}),
        (
            Said(
                "data-order",
                "From step 5 on, the resumed run reads the remaining examples of epoch 1 in a different order.",
            ),
        ),
        twin=Pair(SHOWN, resumed(SHOWN)),
    ),
    Fault(
        "examples of a shuffle buffer",
        data.batches,
        shows({5: ("a", "f"), 6: ("a", "b"), 7: ("c", "d")}),
        (
            Said(
                "examples-lost",
                "From step 5 to the end of the epoch, 1 example was skipped and 1 repeated.",
            ),
        ),
        twin=Pair(SHOWN, resumed(SHOWN)),
    ),
    Fault(
        "examples that the control never reads",
        data.batches,
        shows({5: ("x", "y"), 6: ("a", "b"), 7: ("c", "d")}),
        (
            Said(
                "batches-differ",
                "The batches match nothing that the control read, first at step 5.",
                detail="The control reads none of their examples.",
            ),
        ),
        twin=Pair(SHOWN, resumed(SHOWN)),
    ),
    Fault(
        "batches that nothing explains",
        data.batches,
        Pair(CONTROL, reads(5, "own-1", "own-2")),
        (
            Said(
                "batches-differ",
                "The batches match nothing that the control read, first at step 6.",
            ),
        ),
        # A job that shows no batch.
        twin=Pair(
            (silent := changed(CONTROL, batches=dict.fromkeys(range(8)))),
            resumed(silent),
        ),
    ),
    Fault(
        "batches from a generator of the process",
        data.batches,
        Pair(
            changed(CONTROL, generators=GLOBAL),
            changed(
                reads("own-0", "own-1", "own-2"),
                generators={"boundary-5": {"numpy's generator": "c"}},
            ),
        ),
        (
            Said(
                "batches-differ",
                "The batches match nothing that the control read, first at step 5.",
                detail="The control draws from numpy's generator, whose state is in no checkpoint and differs in the resumed run.",
            ),
        ),
        twin=Pair(
            changed(CONTROL, generators=GLOBAL),
            changed(RESUMED, generators={"boundary-5": {"numpy's generator": "c"}}),
        ),
    ),
    Fault(
        "a hidden generator starts again",
        data.draws,
        Pair(CONTROL, draws([0], [1], [2])),
        (
            Said(
                "generators-restarted",
                "1 of 1 random generator drew at step 5 what the control drew at step 0.",
            ),
        ),
        # A visible generator was lost: its draws follow.
        twin=Pair(CONTROL, changed(draws([0], [1], [2]), boundary={"rng": value("rng", 0)})),
        twin_shows=("generators-restarted",),
    ),
    Fault(
        "a reseeded hidden generator",
        data.draws,
        Pair(CONTROL, draws(["own-0"], ["own-1"], ["own-2"])),
        (
            Said(
                "generators-reseeded",
                "1 of 1 random generator drew at step 5 what the control never draws.",
            ),
        ),
        twin=Pair(
            CONTROL, changed(draws(["own-0"], ["own-1"], ["own-2"]), boundary={"rng": fresh("rng")})
        ),
        twin_shows=("generators-reseeded",),
    ),
    Fault(
        "two hidden generators, one of each kind",
        data.draws,
        Pair(TWICE, draws([0, "own-0"], [1, "own-1"], [2, "own-2"], run=resumed(TWICE))),
        (
            Said(
                "generators-restarted",
                "1 of 2 random generators drew at step 5 what the control drew at step 0.",
            ),
            Said(
                "generators-reseeded",
                "1 of 2 random generators drew at step 5 what the control never draws.",
            ),
        ),
        # Each step draws what belongs to its number, but the numbers differ.
        twin=Pair(
            CONTROL,
            begun_at(changed(draws([0], [1], [2], run=reads(0, 1, 2)), boundary={"step": 0}), 0),
        ),
        twin_shows=("step-lost",),
    ),
)


@cases(FAULTS)
def test_fault_is_caught(fault: Fault) -> None:
    assert_caught(fault)


@cases(FAULTS)
def test_twin_does_not_alarm(fault: Fault) -> None:
    assert_silent_on_twin(fault)


def test_data_add_nothing_if_nothing_was_restored() -> None:
    began = {name: tensor.value for name, tensor in RESUMED.initial.items()}
    begun = changed(draws([0], [1], [2], run=reads(3, 4, 5)), boundary=began)
    assert by_rule(data.batches, Pair(CONTROL, begun)) == ()
    assert by_rule(data.draws, Pair(CONTROL, begun)) == ()


def test_the_order_of_a_later_epoch() -> None:
    ahead = replace(Pair(CONTROL, RESUMED).comparison, batches=DataPath(ORDER, step=3, source=6))
    (found,) = data.batches(Findings(ahead))
    assert found.sentence == (
        "The resumed run uses the data order of epoch 2 instead of that of epoch 1."
    )
