"""The first step, rates and hyperparameters, tensors that never change, and unexplained losses."""

import math

import numpy as np
import pytest

from ckptcheck.comparison.compare import compare
from ckptcheck.diagnosis.cause import AT_ONCE, NEVER, Stage, Start
from ckptcheck.diagnosis.rules import steps
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind
from ckptcheck.run.run import Run
from tests.builder import (
    AFTER,
    BOUNDARY,
    STEPS,
    begun_at,
    changed,
    control,
    cut,
    fresh,
    of_command,
    renamed,
    resumed,
    value,
)
from tests.diagnosis.rules.fault import (
    Fault,
    Pair,
    Said,
    assert_caught,
    assert_silent_on_twin,
    by_rule,
    cases,
    diagnosed,
)

CONTROL = control()
RESUMED = resumed(CONTROL)
CLEAN = Pair(CONTROL, RESUMED)
FINAL_MEAN = value("mean", STEPS) + np.float32(1)
HALVED = dict.fromkeys(AFTER, 0.05)

# A schedule halves the rate after each step.
SCHEDULED = changed(CONTROL, rates={step: 0.5**step for step in range(STEPS)})
SETTING = control({"rate": Kind.HYPERPARAMETER})
WAITING = {"initial": {"plateau.wait": 0.0}, "boundary-5": {"plateau.wait": 2.0}}
FORGOTTEN = {"boundary-5": {"plateau.wait": 0.0}}
GLOBAL = {"initial": {"numpy's generator": "a"}, "boundary-5": {"numpy's generator": "b"}}
RESEEDED = {"boundary-5": {"numpy's generator": "c"}}


def counts_from(step: int, run: Run = RESUMED) -> Run:
    """Return a resumed run that starts with a different step, with its batches and draws."""
    own = range(step, step + len(run.steps))
    begun = begun_at(changed(run, boundary={"step": step}), step)
    return changed(
        begun,
        batches={each: f"batch-{each}" for each in own},
        draws={each: (f"draw-{each}",) for each in own},
    )


def constant(*names: str, run: Run = RESUMED) -> Run:
    """Return a resumed run in which some tensors never change."""
    return changed(run, final={name: run.boundary[name] for name in names})


RESTARTED = (
    "Every loss and weight is equal, so the update of the statistics itself differs after the "
    "restart."
)
KEY = {"counter": Tensor(Kind.COUNTER, np.array([2, 1]))}

SEALED = changed(CONTROL, sealed=["model/lstm"])
ALWAYS = {key: {"drop": 1.0} for key in ("initial", "boundary-5", "final")}

FAULTS = (
    Fault(
        "the counter starts again",
        steps.lost,
        Pair(
            CONTROL,
            changed(
                counts_from(0), asked={name: name for name in CONTROL.boundary if name != "step"}
            ),
        ),
        (
            Said(
                "step-lost",
                "The step counter is 0 instead of the control's 5.",
                ("step",),
                Stage.NOT_APPLIED_AT_LOAD,
            ),
        ),
        twin=CLEAN,
    ),
    Fault(
        "a counter that is not a single number",
        steps.lost,
        Pair(
            changed(
                CONTROL,
                initial=KEY,
                boundary={"counter": Tensor(Kind.COUNTER, np.array([2, 5]))},
                final=KEY,
            ),
            begun_at(
                changed(
                    RESUMED,
                    initial=KEY,
                    boundary={"counter": Tensor(Kind.COUNTER, np.array([2, 3]))},
                    final=KEY,
                ),
                3,
            ),
        ),
        (
            Said(
                "step-lost",
                "The step counter is 3 instead of the control's 5.",
                ("counter",),
                Stage.OMITTED_AT_SAVE,
            ),
        ),
        twin=CLEAN,
    ),
    Fault(
        "a repeated step",
        steps.first,
        Pair(CONTROL, begun_at(RESUMED, 4)),
        (
            Said(
                "wrong-first-step",
                "The control's next step is 5, but the resumed run starts with step 4: 1 step is repeated.",
            ),
        ),
        # It follows from the counter.
        twin=Pair(CONTROL, counts_from(4)),
        twin_shows=("step-lost",),
    ),
    Fault(
        "two skipped steps",
        steps.first,
        Pair(CONTROL, begun_at(RESUMED, 7)),
        (
            Said(
                "wrong-first-step",
                "The control's next step is 5, but the resumed run starts with step 7: 2 steps are skipped.",
            ),
        ),
        twin=Pair(CONTROL, counts_from(7)),
        twin_shows=("step-lost",),
    ),
    Fault(
        "a lost counter with a different number of steps",
        steps.first,
        Pair(CONTROL, begun_at(changed(RESUMED, boundary={"step": 0}), 4)),
        (
            Said(
                "wrong-first-step",
                "The control's next step is 5, but the resumed run starts with step 4: 1 step is repeated.",
            ),
        ),
        twin=Pair(CONTROL, counts_from(0)),
        beside=("step-lost",),
        twin_shows=("step-lost",),
    ),
    Fault(
        "a command that trains too long",
        steps.last,
        Pair(of_command(CONTROL), of_command(RESUMED, further=1)),
        (
            Said(
                "wrong-last-step",
                "After the save, the control made 3 steps, but the resumed run 4.",
            ),
        ),
        # A job's steps are those of its schedule.
        twin=CLEAN,
    ),
    Fault(
        "a command that ends too early",
        steps.last,
        Pair(of_command(CONTROL), of_command(cut(RESUMED, 2))),
        (
            Said(
                "wrong-last-step",
                "After the save, the control made 3 steps, but the resumed run 2.",
            ),
        ),
        twin=Pair(of_command(CONTROL), of_command(RESUMED)),
    ),
    Fault(
        "a different learning rate",
        steps.learning_rate,
        Pair(CONTROL, changed(RESUMED, rates={6: 0.05, 7: 0.05})),
        (
            Said(
                "learning-rate-differs",
                "The learning rate is 0.05 instead of the control's 0.1, first at step 6.",
            ),
        ),
        twin=Pair(
            (unknown := changed(CONTROL, rates=dict.fromkeys(range(STEPS)))), resumed(unknown)
        ),
    ),
    Fault(
        "the schedule starts again",
        steps.learning_rate,
        Pair(SCHEDULED, changed(resumed(SCHEDULED), rates={5: 1.0, 6: 0.5, 7: 0.25})),
        (
            Said(
                "learning-rate-differs",
                "The learning rate is 1.0 instead of the control's 0.03125, first at step 5.",
            ),
        ),
        # It follows from the counter, which starts again, too.
        twin=Pair(
            SCHEDULED, changed(counts_from(0, resumed(SCHEDULED)), rates={0: 1.0, 1: 0.5, 2: 0.25})
        ),
        twin_shows=("step-lost",),
    ),
    Fault(
        "a callback with lost state",
        steps.learning_rate,
        Pair(
            changed(CONTROL, attributes=WAITING),
            changed(RESUMED, attributes=FORGOTTEN, rates=HALVED),
        ),
        (
            Said(
                "learning-rate-differs",
                "The learning rate is 0.05 instead of the control's 0.1, first at step 5.",
                detail="Python state differs, too: plateau.wait is 0 instead of the control's 2.",
            ),
        ),
        # The rates are equal: nothing to explain.
        twin=Pair(changed(CONTROL, attributes=WAITING), changed(RESUMED, attributes=FORGOTTEN)),
    ),
    Fault(
        "a hyperparameter that is the learning rate",
        steps.learning_rate,
        Pair(
            changed(SETTING, rates=dict.fromkeys(range(STEPS), 0.25)),
            changed(resumed(SETTING), boundary={"rate": 0.5}, rates=dict.fromkeys(AFTER, 0.5)),
        ),
        (
            Said(
                "learning-rate-differs",
                "The learning rate is 0.5 instead of the control's 0.25, first at step 5.",
                ("rate",),
            ),
        ),
        twin=Pair(SETTING, resumed(SETTING)),
    ),
    Fault(
        "a hyperparameter in the state",
        steps.hyperparameters,
        Pair(SETTING, changed(resumed(SETTING), boundary={"rate": 0.5})),
        (
            Said(
                "hyperparameters-differ",
                "1 hyperparameter differs from the control's: rate is 0.5 instead of the control's 0.25.",
                ("rate",),
                Stage.OVERWRITTEN_AFTER_LOAD,
            ),
        ),
        twin=Pair(
            changed(SETTING, rates=dict.fromkeys(range(STEPS), 0.25)),
            changed(resumed(SETTING), boundary={"rate": 0.5}, rates=dict.fromkeys(AFTER, 0.5)),
        ),
        twin_shows=("learning-rate-differs",),
    ),
    Fault(
        "a hyperparameter of a step",
        steps.hyperparameters,
        Pair(CONTROL, changed(RESUMED, hyperparameters={6: {"decay": 0.02}})),
        (
            Said(
                "hyperparameters-differ",
                "1 hyperparameter differs from the control's: decay is 0.02 instead of the control's 0.01, first at step 6.",
            ),
        ),
        # It follows from a lost counter.
        twin=Pair(CONTROL, changed(counts_from(0), hyperparameters={0: {"decay": 0.02}})),
        twin_shows=("step-lost",),
    ),
    Fault(
        "a hyperparameter that only one run shows",
        steps.hyperparameters,
        Pair(CONTROL, changed(RESUMED, hyperparameters={5: {"decay": 0.01, "clip": 1.0}})),
        (
            Said(
                "hyperparameters-differ",
                "1 hyperparameter differs from the control's: clip is 1 in the resumed run and not recorded in the control, first at step 5.",
            ),
        ),
        twin=CLEAN,
    ),
    Fault(
        "frozen weights",
        steps.mode,
        Pair(CONTROL, constant("w", "w/momentum")),  # slots follow their weights
        (
            Said(
                "mode-differs",
                "1 of 4 tensors changes in the control but not in the resumed run.",
                ("w",),
                detail="Either layers are frozen (trainable=False), or the update does not run.",
            ),
        ),
        # They do not change in the control either.
        twin=Pair(
            (frozen := changed(CONTROL, final={"w": CONTROL.boundary["w"]})),
            resumed(frozen),
        ),
    ),
    Fault(
        "evaluation mode",
        steps.mode,
        Pair(CONTROL, constant("mean", "rng")),
        (
            Said(
                "mode-differs",
                "2 of 4 tensors change in the control but not in the resumed run.",
                ("mean", "rng"),
                detail="Either the model is in evaluation mode (training=False), or the update does not run.",
            ),
        ),
        # A lost generator may be constant for that reason.
        twin=Pair(
            CONTROL,
            changed(constant("rng"), boundary={"rng": fresh("rng")}, final={"rng": fresh("rng")}),
        ),
        twin_shows=("generators-reseeded",),
    ),
    Fault(
        "statistics that never change",
        steps.mode,
        Pair(CONTROL, constant("mean")),
        (
            Said(
                "mode-differs",
                "1 of 4 tensors changes in the control but not in the resumed run.",
                ("mean",),
                detail="Either the model is in evaluation mode (training=False), or the update does not run.",
            ),
        ),
        # A rate of 0 changes nothing either.
        twin=Pair(CONTROL, changed(constant("w"), rates={5: 0.0})),
        twin_shows=("learning-rate-differs",),
    ),
    Fault(
        "statistics with a restarted update",
        steps.statistics_restarted,
        Pair(
            changed(CONTROL, attributes=WAITING),
            changed(RESUMED, final={"mean": FINAL_MEAN}, attributes=FORGOTTEN),
        ),
        (
            Said(
                "statistics-restarted",
                "1 of 1 moving mean or variance equals the control's value at the boundary but not at the end.",
                ("mean",),
                detail=f"{RESTARTED} Python state differs, too: plateau.wait is 0 instead of the control's 2.",
            ),
        ),
        # Weights differ, too: the statistics follow from them.
        twin=Pair(CONTROL, changed(RESUMED, final={"mean": FINAL_MEAN, "w": FINAL_MEAN})),
        twin_shows=("unexplained",),
    ),
    Fault(
        "statistics with a restarted update, and a different evaluation",
        steps.statistics_restarted,
        Pair(CONTROL, changed(RESUMED, final={"mean": FINAL_MEAN}, evaluations={STEPS: 0.5})),
        (
            Said(
                "statistics-restarted",
                "1 of 1 moving mean or variance equals the control's value at the boundary but not at the end.",
                ("mean",),
                detail=RESTARTED,
            ),
        ),
        twin=Pair(CONTROL, changed(RESUMED, final={"mean": FINAL_MEAN}, losses={7: 0.5})),
        twin_shows=("unexplained",),
    ),
    Fault(
        "a loss before any cause found can act",
        steps.too_early,
        Pair(CONTROL, changed(RESUMED, losses={5: 0.5}, rates={6: 0.05})),
        (
            Said(
                "unexplained",
                "The training loss of step 5 is 0.5 instead of the control's 0.3333333333333333.",
                detail="No cause that was found acts this early.",
            ),
        ),
        # The rate of a step acts on the loss of the next one.
        twin=Pair(CONTROL, changed(RESUMED, losses={7: 0.5}, rates={6: 0.05})),
        beside=("learning-rate-differs",),
        twin_shows=("learning-rate-differs",),
    ),
    Fault(
        "an evaluation before any cause found can act",
        steps.too_early,
        Pair(
            changed(CONTROL, generators=GLOBAL),
            changed(RESUMED, evaluations={BOUNDARY: 0.5}, rates={5: 0.05}, generators=RESEEDED),
        ),
        (
            Said(
                "unexplained",
                "The evaluation loss after 5 steps is 0.5 instead of the control's 0.2.",
                detail="No cause that was found acts this early. Outside the compared state, these differ, too: the state of numpy's generator.",
            ),
        ),
        twin=Pair(CONTROL, changed(RESUMED, evaluations={6: 0.5}, rates={5: 0.05})),
        beside=("learning-rate-differs",),
        twin_shows=("learning-rate-differs",),
    ),
    Fault(
        "a first loss with the dropout of a recurrent layer",
        steps.sealed_generator,
        Pair(SEALED, changed(RESUMED, losses={5: 0.5})),
        (
            Said(
                "sealed-generator",
                "The dropout of model/lstm has a generator that nothing can save: the training loss of step 5 is 0.5 instead of 0.3333333333333333.",
            ),
        ),
        # A later loss cannot differ for that reason alone.
        twin=Pair(SEALED, changed(RESUMED, losses={6: 0.5})),
        twin_shows=("unexplained",),
    ),
    Fault(
        "an unexplained loss",
        steps.unexplained,
        Pair(CONTROL, changed(RESUMED, losses={6: 0.5})),
        (
            Said(
                "unexplained",
                "The training loss of step 6 is 0.5 instead of the control's 0.2857142857142857.",
                detail="Every tensor, batch and learning rate before it is equal.",
            ),
        ),
        twin=CLEAN,
    ),
    Fault(
        "the earliest difference, a training loss",
        steps.unexplained,
        Pair(CONTROL, changed(RESUMED, losses={6: 0.5}, evaluations={STEPS: 0.5})),
        (
            Said(
                "unexplained",
                "The training loss of step 6 is 0.5 instead of the control's 0.2857142857142857.",
                detail="Every tensor, batch and learning rate before it is equal.",
            ),
        ),
        twin=CLEAN,
    ),
    Fault(
        "the earliest difference, an evaluation",
        steps.unexplained,
        Pair(CONTROL, changed(RESUMED, losses={6: 0.5, 7: 0.5}, evaluations={6: 0.5})),
        (
            Said(
                "unexplained",
                "The evaluation loss after 6 steps is 0.5 instead of the control's 0.16666666666666666.",
                detail="Every tensor, batch and learning rate before it is equal.",
            ),
        ),
        twin=CLEAN,
    ),
    Fault(
        "an attribute that never changes, except by the restore",
        steps.unexplained,
        Pair(
            changed(CONTROL, attributes=ALWAYS),
            changed(RESUMED, losses={5: 0.5}, attributes=ALWAYS | {"boundary-5": {"drop": 0.0}}),
        ),
        (
            Said(
                "unexplained",
                "The training loss of step 5 is 0.5 instead of the control's 0.3333333333333333.",
                detail="Every tensor, batch and learning rate before it is equal. Outside the compared state, these differ, too: drop (0 instead of 1).",
            ),
        ),
        # An attribute that a process sets once, such as a time, says nothing.
        twin=Pair(
            changed(CONTROL, attributes=ALWAYS),
            changed(RESUMED, attributes={key: {"drop": 0.0} for key in ALWAYS}),
        ),
    ),
    Fault(
        "an unexplained final state, with all hints",
        steps.unexplained,
        Pair(
            changed(CONTROL, generators=GLOBAL, attributes=WAITING),
            changed(
                renamed(RESUMED, {"w": "v"}),
                final={"w/average": fresh("w/average")},
                generators=RESEEDED,
                attributes=FORGOTTEN,
            ),
        ),
        (
            Said(
                "unexplained",
                "1 tensor of the final state differs.",
                ("w/average",),
                detail="All losses are equal. Outside the compared state, these differ, too: the state of numpy's generator; the name of 1 tensor, matched by value (v for w); plateau.wait (0 instead of 2).",
            ),
        ),
        twin=Pair(
            changed(CONTROL, generators=GLOBAL, attributes=WAITING),
            changed(renamed(RESUMED, {"w": "v"}), generators=RESEEDED, attributes=FORGOTTEN),
        ),
    ),
)


@cases(FAULTS)
def test_fault_is_caught(fault: Fault) -> None:
    assert_caught(fault)


@cases(FAULTS)
def test_twin_does_not_alarm(fault: Fault) -> None:
    assert_silent_on_twin(fault)


def test_no_step_at_all() -> None:
    assert by_rule(steps.first, Pair(CONTROL, changed(cut(RESUMED, 0), first_step=None))) == (
        Said(
            "wrong-first-step",
            "The control's next step is 5, but the resumed run makes no step.",
        ),
    )


def beyond(run: Run, start: Start, loss_within: float = math.inf) -> list[str]:
    return [each.sentence for each in steps.beyond(compare(CONTROL, run), start, loss_within)]


TOO_FAR = "Accepted differences cannot explain this:"


def test_differences_that_an_accepted_cause_cannot_explain() -> None:
    run = changed(RESUMED, losses={6: 0.5}, final={"w": FINAL_MEAN, "mean": FINAL_MEAN})
    assert beyond(run, Start(1, 1)) == []
    assert beyond(run, Start(2, 2)) == [
        f"{TOO_FAR} the training loss of step 6 is 0.5 instead of the control's 0.2857142857142857."
    ]
    ends = changed(RESUMED, final={"w": FINAL_MEAN, "mean": FINAL_MEAN})
    assert beyond(ends, Start(2, 2)) == []
    assert beyond(ends, NEVER) == [f"{TOO_FAR} 2 tensors of the final state differ."]
    assert beyond(RESUMED, NEVER) == []


def test_what_is_computed_before_any_update_moves_so_far() -> None:
    off = changed(RESUMED, losses={5: CONTROL.losses[5] * 1.25}, evaluations={BOUNDARY: 0.25})
    assert beyond(off, AT_ONCE) == []
    assert beyond(off, AT_ONCE, 0.3) == []
    assert beyond(off, AT_ONCE, 0.2) == [
        f"{TOO_FAR} the evaluation loss after 5 steps is 0.25 instead of the control's 0.2."
    ]
    first = changed(RESUMED, losses={5: math.nan, 6: 9.0}, evaluations={6: 9.0})
    assert beyond(first, AT_ONCE, 0.2) == [
        f"{TOO_FAR} the training loss of step 5 is nan instead of the control's 0.3333333333333333."
    ]


def test_of_two_hyperparameters_with_the_rates_values_neither_is_the_rate() -> None:
    two = changed(
        control({"rate": Kind.HYPERPARAMETER, "decay": Kind.HYPERPARAMETER}),
        rates=dict.fromkeys(range(STEPS), 0.25),
    )
    run = changed(
        resumed(two), boundary={"rate": 0.5, "decay": 0.5}, rates=dict.fromkeys(AFTER, 0.5)
    )
    assert [(each.cause, each.tensors) for each in diagnosed(Pair(two, run))] == [
        ("learning-rate-differs", ()),
        ("hyperparameters-differ", ("rate", "decay")),
    ]


@pytest.mark.parametrize("cause", ["loss-scale-lost", "accumulators-lost"])
def test_delayed_updates_explain_constant_tensors(cause: str) -> None:
    kind = Kind.LOSS_SCALE if cause == "loss-scale-lost" else Kind.ACCUMULATOR
    ours = control({"held back": kind})
    run = changed(
        constant("w", run=resumed(ours)), boundary={"held back": ours.initial["held back"]}
    )
    assert [each.cause for each in diagnosed(Pair(ours, run))] == [cause]


def test_a_generator_of_which_no_number_is_read_shows_no_mode() -> None:
    """A program may make one for each step: those of two runs are not the same."""
    made = control({"random/g": Kind.RNG})
    run = resumed(made)
    still = changed(run, final={"random/g": run.boundary["random/g"]})
    assert not diagnosed(Pair(made, still))


def scheduled(**boundary: float) -> Pair:
    """Return a pair whose resumed run has another count of a scheduler, and these settings."""
    kinds = {
        "sched/last_epoch": Kind.COUNTER,
        "opt/group 0/lr": Kind.HYPERPARAMETER,
        "opt/group 1/lr": Kind.HYPERPARAMETER,
        "opt/group 0/betas[0]": Kind.HYPERPARAMETER,
        "opt/group 0/weight_decay": Kind.HYPERPARAMETER,
    }
    made = control(kinds)
    named = {f"opt/{name.replace('__', '/')}": value for name, value in boundary.items()}
    return Pair(made, changed(resumed(made), boundary={"sched/last_epoch": 0, **named}))


def test_what_a_scheduler_sets_follows_from_its_count() -> None:
    pair = scheduled(**{"group 0__lr": 0.5, "group 1__lr": 0.3, "group 0__betas[0]": 0.9})
    pair = Pair(pair.control, changed(pair.resumed, rates={6: 0.2}))
    (found,) = diagnosed(pair)
    assert (found.cause, found.tensors) == (
        "step-lost",
        ("sched/last_epoch", "opt/group 0/lr", "opt/group 1/lr", "opt/group 0/betas[0]"),
    )


def test_what_no_scheduler_sets_does_not_follow() -> None:
    found = diagnosed(scheduled(**{"group 0__weight_decay": 0.5}))
    assert [each.cause for each in found] == ["step-lost", "hyperparameters-differ"]


def test_the_rates_of_several_groups_are_in_proportion() -> None:
    kinds = {"opt/group 0/lr": Kind.HYPERPARAMETER, "opt/group 1/lr": Kind.HYPERPARAMETER}
    made = changed(control(kinds), boundary={"opt/group 0/lr": 0.1, "opt/group 1/lr": 0.01})
    lower = {"opt/group 0/lr": 0.05, "opt/group 1/lr": 0.005}
    run = changed(resumed(made), boundary=lower, rates={5: 0.05})
    (found,) = diagnosed(Pair(made, run))
    assert (found.cause, found.tensors) == ("learning-rate-differs", tuple(lower))


def test_a_bias_before_batch_norm_is_not_frozen() -> None:
    """Its gradient is almost zero: with lost momentum it may stand still."""
    made = control({"model/0.weight": Kind.WEIGHT, "model/0.bias": Kind.WEIGHT})
    run = resumed(made)
    lost = {"w/momentum": np.zeros((2, 3), np.float32)}
    still = {"model/0.bias": run.boundary["model/0.bias"]}
    assert {each.cause for each in diagnosed(Pair(made, changed(run, final=still)))} == {
        "mode-differs"
    }
    both = changed(run, boundary=lost, final=still, losses={6: 0.9})
    assert {each.cause for each in diagnosed(Pair(made, both))} == {"slots-lost"}
