"""Tensors at the boundary, by kind and by what they equal instead of the control's value."""

import math
from collections.abc import Sequence

import numpy as np

from ckptcheck.arrays import Array
from ckptcheck.diagnosis.cause import Stage
from ckptcheck.diagnosis.rules import Rule, tensors
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind
from ckptcheck.run.digests import digest
from ckptcheck.run.run import Run
from tests.builder import BOUNDARY, EARLIER, Values, changed, control, fresh, resumed, value
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
CLEAN = Pair(CONTROL, RESUMED)
WIDE = np.arange(1.0, 7.0).reshape(2, 3)
WIDER = WIDE * (1 + 1e-9)
ALSO = {
    "v": Kind.WEIGHT,
    "v/momentum": Kind.SLOT,
    "sum": Kind.ACCUMULATOR,
    "scale": Kind.LOSS_SCALE,
    "patience": Kind.PYTHON,
    "accuracy": Kind.METRIC,
    "table": Kind.OTHER,
}
FULL = control(ALSO)
FULLY = resumed(FULL)
TRAINED_BY_ADAM = control({"adam/w/momentum": Kind.SLOT})
W, MEAN = value("w", BOUNDARY), value("mean", BOUNDARY)
MOMENTUM = value("v/momentum", BOUNDARY)
HALF = W.astype(np.float16).astype(np.float32)
UP_W = np.nextafter(W, np.float32(9))
ZEROS = np.zeros((2, 3), np.float32)


def at(boundary: Values) -> Pair:
    """Return a pair whose resumed run has these tensors at the boundary."""
    return Pair(CONTROL, changed(RESUMED, boundary=boundary))


def full(boundary: Values) -> Pair:
    """Return the same for runs with a tensor of each kind."""
    return Pair(FULL, changed(FULLY, boundary=boundary))


def apart(control: Array, resumed: Array) -> float:
    return float(np.abs(control.astype(np.float64) - resumed).max())


def alike(run: Run, boundary: Values | None = None, final: Values | None = None) -> Pair:
    """Return a pair in which both runs have these tensors."""
    return Pair(
        changed(run, boundary=boundary, final=final),
        changed(resumed(run), boundary=boundary, final=final),
    )


def table(ours: Sequence[float], theirs: Sequence[float]) -> Pair:
    """Return a pair with these values of the tensor `table`, which differs at the start."""
    left, right = (np.array(each, np.float32) for each in (ours, theirs))
    return Pair(changed(FULL, boundary={"table": left}), changed(FULLY, boundary={"table": right}))


def not_held(pair: Pair, name: str) -> Pair:
    return Pair(
        pair.control,
        changed(pair.resumed, held=[each for each in pair.control.boundary if each != name]),
    )


def not_asked(pair: Pair, name: str) -> Pair:
    return Pair(
        pair.control,
        changed(pair.resumed, asked={each: each for each in pair.control.boundary if each != name}),
    )


def lost(name: str, rule: Rule, cause: str, sentence: str, value: Array, detail: str = "") -> Fault:
    """Return the fault of a saved and restored tensor that has a value of the new process."""
    at_initial = {name: FULLY.initial[name]}
    return Fault(
        f"lost {name}",
        rule,
        full({name: value}),
        (Said(cause, sentence, (name,), Stage.OVERWRITTEN_AFTER_LOAD, detail),),
        # Both runs have that value: the restore had to restore it.
        twin=alike(FULL, boundary=at_initial),
    )


REPLICAS = {"mean, replica 0": Kind.MOVING_STATISTIC, "mean, replica 1": Kind.MOVING_STATISTIC}
REPLICATED = control(REPLICAS)
STILL: Values = {"w/average": value("w/average", 0)}
STOPPED: Values = {**STILL, "w": value("w", 0)}

DIGEST = Tensor(Kind.PYTHON, np.array("0123456789abcdef"))


def twister(seed: int, place: int) -> Array:
    """Return the state of a Mersenne Twister: its words, and the position in them."""
    words = np.random.default_rng(seed).integers(1 << 32, size=624)
    return np.array([*words, place], np.uint64)


TWISTER = changed(
    control({"twister": Kind.RNG}),
    boundary={"twister": Tensor(Kind.RNG, twister(0, 4))},
    final={"twister": Tensor(Kind.RNG, twister(0, 9))},
)

FAULTS = (
    Fault(
        "NaN in a weight",
        tensors.not_finite,
        at({"w": np.where(np.eye(2, 3), np.nan, W)}),
        (
            Said(
                "not-finite",
                "1 restored tensor holds NaN or infinity: w in 2 of 6 elements.",
                ("w",),
                Stage.OVERWRITTEN_AFTER_LOAD,
            ),
        ),
        # The best loss of a callback is infinite before the first loss.
        twin=full({"patience": math.inf}),
        twin_shows=("python-state-lost",),
    ),
    Fault(
        "infinity in a slot that was not saved",
        tensors.not_finite,
        not_held(at({"w/momentum": ZEROS + np.float32(np.inf)}), "w/momentum"),
        (
            Said(
                "not-finite",
                "1 restored tensor holds NaN or infinity: w/momentum in 6 of 6 elements.",
                ("w/momentum",),
                Stage.OMITTED_AT_SAVE,
            ),
        ),
        # The control has the same infinity: the restore had to restore it.
        twin=alike(CONTROL, boundary={"w/momentum": ZEROS + np.float32(np.inf)}),
    ),
    Fault(
        "infinity beside one that the control holds, too",
        tensors.not_finite,
        table([np.inf, 1, 2], [np.inf, -np.inf, 2]),
        (
            Said(
                "not-finite",
                "1 restored tensor holds NaN or infinity: table in 1 of 3 elements.",
                ("table",),
                Stage.OMITTED_AT_SAVE,
            ),
        ),
        # The best loss so far is infinite in both; a count beside it was lost.
        twin=table([np.inf, 1, 2], [np.inf, 0, 0]),
        twin_shows=("unexplained",),
    ),
    Fault(
        "absent in the resumed run",
        tensors.missing,
        Pair(CONTROL, changed(RESUMED, boundary={"mean": None})),
        (
            Said(
                "tensors-missing",
                "1 tensor does not match between the two processes: mean is float32 (2, 3) in the control and absent in the resumed run.",
                ("mean",),
            ),
        ),
        twin=alike(CONTROL, boundary={"mean": None}),
    ),
    Fault(
        "an attribute that is a list of arrays, and not yet set in the resumed run",
        tensors.python_state,
        Pair(changed(FULL, boundary={"patience": DIGEST}), FULLY),
        (
            Said(
                "python-state-lost",
                "State outside the variables was not restored: patience differs from the control's.",
                ("patience",),
            ),
        ),
        twin=alike(FULL, boundary={"patience": DIGEST}),
    ),
    Fault(
        "absent in the control",
        tensors.missing,
        Pair(changed(CONTROL, boundary={"mean": None}), RESUMED),
        (
            Said(
                "tensors-missing",
                "1 tensor does not match between the two processes: mean is absent in the control and float32 (2, 3) in the resumed run.",
                ("mean",),
            ),
        ),
        # Under a different name it is the same tensor.
        twin=Pair(
            CONTROL,
            changed(
                RESUMED,
                boundary={"mean": None, "average": Tensor(Kind.MOVING_STATISTIC, MEAN)},
                final={"mean": None, "average": CONTROL.final["mean"]},
            ),
        ),
    ),
    Fault(
        "a different dtype and a different shape",
        tensors.missing,
        Pair(
            CONTROL,
            changed(RESUMED, boundary={"w": W.astype(np.float64), "mean": MEAN.reshape(3, 2)}),
        ),
        (
            Said(
                "tensors-missing",
                "2 tensors do not match between the two processes: w is float32 (2, 3) in the control and float64 (2, 3) in the resumed run.",
                ("w", "mean"),
            ),
        ),
        twin=alike(CONTROL, boundary={"w": W.astype(np.float64)}),
    ),
    Fault(
        "a new optimizer after the restore",
        tensors.replaced_optimizer,
        Pair(
            TRAINED_BY_ADAM,
            changed(
                resumed(TRAINED_BY_ADAM),
                boundary={
                    "adam_1/w/momentum": Tensor(Kind.SLOT, ZEROS),
                    "adam_1/rate": Tensor(Kind.HYPERPARAMETER, np.array(0.25)),
                },
                final={
                    "adam_1/w/momentum": Tensor(Kind.SLOT, W),
                    "adam_1/rate": Tensor(Kind.HYPERPARAMETER, np.array(0.25)),
                    "adam/w/momentum": TRAINED_BY_ADAM.boundary["adam/w/momentum"],
                },
                losses={6: 9.0},
            ),
        ),
        (
            Said(
                "slots-lost",
                "1 of 2 optimizer slots is restored, but a different optimizer trains.",
                ("adam/w/momentum", "adam_1/w/momentum", "adam_1/rate"),
                Stage.OVERWRITTEN_AFTER_LOAD,
            ),
        ),
        twin=Pair(TRAINED_BY_ADAM, resumed(TRAINED_BY_ADAM)),
    ),
    Fault(
        "an optimizer without slots after the restore",
        tensors.replaced_optimizer,
        Pair(
            CONTROL,
            changed(
                RESUMED,
                final={"w/momentum": CONTROL.boundary["w/momentum"]},
                losses={6: 9.0},
            ),
        ),
        (
            Said(
                "slots-lost",
                "1 of 1 optimizer slot is restored, but a different optimizer trains.",
                ("w/momentum",),
                Stage.OVERWRITTEN_AFTER_LOAD,
            ),
        ),
        # Frozen weights have slots that stand still.
        twin=Pair(
            CONTROL,
            changed(
                RESUMED,
                final={name: CONTROL.boundary[name] for name in ("w", "w/momentum")},
            ),
        ),
        twin_shows=("mode-differs",),
    ),
    Fault(
        "statistics of a replica that was not saved",
        tensors.replicas,
        Pair(
            REPLICATED,
            changed(
                resumed(REPLICATED),
                boundary={"mean, replica 1": REPLICATED.boundary["mean, replica 0"]},
            ),
        ),
        (
            Said(
                "replicas-lost",
                "1 of 2 moving means and variances of replicas has the value of replica 0.",
                ("mean, replica 1",),
            ),
        ),
        # With the value of a different layer's statistics, tensors are swapped.
        twin=Pair(
            REPLICATED,
            changed(
                resumed(REPLICATED), boundary={"mean, replica 1": REPLICATED.boundary["mean"].value}
            ),
        ),
        twin_shows=("tensors-swapped",),
    ),
    Fault(
        "averages in the weights",
        tensors.shadows_in_weights,
        at({"w": value("w/average", BOUNDARY)}),
        (
            Said(
                "shadows-in-weights",
                "1 of 1 weight has the value of its moving average.",
                ("w",),
            ),
        ),
        twin=full({"w": value("v", BOUNDARY)}),
        twin_shows=("weights-swapped",),
    ),
    Fault(
        "averages and weights swapped",
        tensors.shadows_in_weights,
        at({"w": value("w/average", BOUNDARY), "w/average": W}),
        (
            Said(
                "shadows-in-weights",
                "1 of 1 weight has the value of its moving average.",
                ("w", "w/average"),
            ),
        ),
        # The average equals its weight in the control, too: no swap.
        twin=alike(CONTROL, boundary={"w/average": W}),
    ),
    lost(
        "mean",
        tensors.lost_statistics,
        "moving-statistics-lost",
        "1 of 1 moving mean or variance has its initial value.",
        ZEROS,
    ),
    Fault(
        "statistics that were not saved",
        tensors.lost_statistics,
        not_held(at({"mean": ZEROS}), "mean"),
        (
            Said(
                "moving-statistics-lost",
                "1 of 1 moving mean or variance has its initial value.",
                ("mean",),
                Stage.OMITTED_AT_SAVE,
            ),
        ),
        twin=not_held(CLEAN, "mean"),
    ),
    Fault(
        "statistics that the restore leaves out",
        tensors.lost_statistics,
        not_asked(at({"mean": ZEROS}), "mean"),
        (
            Said(
                "moving-statistics-lost",
                "1 of 1 moving mean or variance has its initial value.",
                ("mean",),
                Stage.NOT_APPLIED_AT_LOAD,
            ),
        ),
        twin=not_asked(CLEAN, "mean"),
    ),
    Fault(
        "two statistics, lost at two stages",
        tensors.lost_statistics,
        not_held(
            Pair(
                control({"variance": Kind.MOVING_STATISTIC}),
                changed(
                    resumed(control({"variance": Kind.MOVING_STATISTIC})),
                    boundary={"mean": ZEROS, "variance": ZEROS},
                ),
            ),
            "variance",
        ),
        (
            Said(
                "moving-statistics-lost",
                "1 of 2 moving means and variances has its initial value.",
                ("mean",),
                Stage.OVERWRITTEN_AFTER_LOAD,
            ),
            Said(
                "moving-statistics-lost",
                "1 of 2 moving means and variances has its initial value.",
                ("variance",),
                Stage.OMITTED_AT_SAVE,
            ),
        ),
        twin=CLEAN,
    ),
    lost(
        "w/average",
        tensors.lost_shadows,
        "shadows-lost",
        "1 of 1 shadow variable (moving average of a weight) has its initial value.",
        fresh("w/average"),
        "The averages start from their initial values. No training loss shows it.",
    ),
    Fault(
        "a target network, whose loss the training losses show",
        tensors.lost_shadows,
        Pair(FULL, changed(full({"w/average": fresh("w/average")}).resumed, losses={5: 0.5})),
        (
            Said(
                "shadows-lost",
                "1 of 1 shadow variable (moving average of a weight) has its initial value.",
                ("w/average",),
                Stage.OVERWRITTEN_AFTER_LOAD,
                "The averages start from their initial values.",
            ),
        ),
        twin=CLEAN,
    ),
    Fault(
        "averages that start at the weights",
        tensors.lost_shadows,
        at({"w/average": W}),
        (
            Said(
                "shadows-lost",
                "1 of 1 shadow variable (moving average of a weight) equals its weight as restored.",
                ("w/average",),
                Stage.OVERWRITTEN_AFTER_LOAD,
                "The averages start from the restored weights. No training loss shows it.",
            ),
        ),
        twin=at({"w/average": MEAN}),
        twin_shows=("tensors-swapped",),
    ),
    Fault(
        "two weights swapped, with their slots",
        tensors.swapped_weights,
        full(
            {
                "w": value("v", BOUNDARY),
                "v": W,
                "w/momentum": value("v/momentum", BOUNDARY, Kind.SLOT),
                "v/momentum": value("w/momentum", BOUNDARY),
            }
        ),
        (
            Said(
                "weights-swapped",
                "4 tensors have the value of a different tensor: w has the value of v.",
                ("w", "v", "w/momentum", "v/momentum"),
            ),
        ),
        twin=alike(FULL, boundary={"v": W}),
    ),
    Fault(
        "two slots swapped",
        tensors.swapped_slots,
        full(
            {
                "w/momentum": value("v/momentum", BOUNDARY, Kind.SLOT),
                "v/momentum": value("w/momentum", BOUNDARY),
            }
        ),
        (
            Said(
                "slots-swapped",
                "2 optimizer slots have the value of a different slot: w/momentum has the value of v/momentum.",
                ("w/momentum", "v/momentum"),
            ),
        ),
        twin=full({"w/momentum": ZEROS}),
        twin_shows=("slots-lost",),
    ),
    Fault(
        "a statistic with the value of a table",
        tensors.swapped,
        full({"mean": value("table", BOUNDARY)}),
        (
            Said(
                "tensors-swapped",
                "1 tensor has the value of a different tensor: mean has the value of table.",
                ("mean",),
            ),
        ),
        # Many tensors may hold one number throughout.
        twin=Pair(
            changed(FULL, boundary={"table": ZEROS + 7}),
            changed(FULLY, boundary={"table": ZEROS + 7, "mean": ZEROS + 7}),
        ),
        twin_shows=("moving-statistics-lost",),
    ),
    lost(
        "w",
        tensors.lost_weights,
        "weights-lost",
        "1 of 2 weights has its initial value.",
        fresh("w"),
    ),
    Fault(
        "a weight that is zero",
        tensors.lost_weights,
        full({"w": ZEROS}),
        (
            Said(
                "weights-lost",
                "1 of 2 weights is zero.",
                ("w",),
                Stage.OVERWRITTEN_AFTER_LOAD,
            ),
        ),
        twin=full({"w": ZEROS + 1}),
        twin_shows=("unexplained",),
    ),
    Fault(
        "weights decayed by little",
        tensors.scaled,
        Pair(
            changed(CONTROL, boundary={"w": WIDE}),
            changed(RESUMED, boundary={"w": WIDER}, values=[digest(WIDE)]),
        ),
        (
            Said(
                "weights-scaled",
                "1 of 1 weight equals its saved value times 1.000000001.",
                ("w",),
                Stage.OVERWRITTEN_AFTER_LOAD,
            ),
        ),
        twin=at({"w": W * np.arange(1, 7, dtype=np.float32).reshape(2, 3)}),
        twin_shows=("unexplained",),
    ),
    Fault(
        "decayed weights",
        tensors.scaled,
        full({"w": W * np.float32(0.5), "v": value("v", BOUNDARY) * np.float32(0.5)}),
        (
            Said(
                "weights-scaled",
                "2 of 2 weights equal their saved values times 0.5.",
                ("w", "v"),
                Stage.OVERWRITTEN_AFTER_LOAD,
            ),
        ),
        # Each element has a different factor: not a decay.
        twin=at({"w": W * np.arange(1, 7, dtype=np.float32).reshape(2, 3)}),
        twin_shows=("unexplained",),
    ),
    Fault(
        "rounded to half precision",
        tensors.narrower,
        at({"w": HALF}),
        (
            Said(
                "precision-lost",
                f"1 of 6 tensors was rounded to float16, by up to {apart(W, HALF):.3g}.",
                ("w",),
                Stage.OVERWRITTEN_AFTER_LOAD,
            ),
        ),
        twin=alike(CONTROL, boundary={"w": HALF}),
    ),
    Fault(
        "cast to half precision, as an optimizer's state to the dtype of its parameters",
        tensors.narrower,
        full({"v/momentum": MOMENTUM.astype(np.float16)}),
        (
            Said(
                "precision-lost",
                f"1 of 13 tensors was rounded to float16, by up to "
                f"{apart(MOMENTUM, MOMENTUM.astype(np.float16)):.3g}.",
                ("v/momentum",),
                Stage.OVERWRITTEN_AFTER_LOAD,
            ),
        ),
        twin=full({"v/momentum": np.zeros_like(MOMENTUM, np.float16)}),
        twin_shows=("tensors-missing",),
    ),
    Fault(
        "computed again, in a different order",
        tensors.rounding,
        at({"w": UP_W, "mean": np.nextafter(MEAN, np.float32(0))}),
        (
            Said(
                "rounding",
                f"2 of 6 tensors differ only in the last bits, by up to {apart(UP_W, W):.3g}.",
                ("w", "mean"),
            ),
        ),
        twin=at({"w": W + np.float32(1e-4)}),
        twin_shows=("unexplained",),
    ),
    lost(
        "w/momentum",
        tensors.lost_slots,
        "slots-lost",
        "1 of 2 optimizer slots has its initial value.",
        ZEROS,
    ),
    Fault(
        "a different loss scale",
        tensors.loss_scale,
        not_held(full({"scale": 4096.0}), "scale"),
        (
            Said(
                "loss-scale-lost",
                "The loss scale starts from its initial value: scale is 4096.0 instead of the control's 32768.0.",
                ("scale",),
                Stage.OMITTED_AT_SAVE,
            ),
        ),
        twin=not_held(Pair(FULL, FULLY), "scale"),
    ),
    lost(
        "sum",
        tensors.lost_accumulators,
        "accumulators-lost",
        "1 of 1 gradient accumulator has its initial value.",
        ZEROS,
    ),
    Fault(
        "a generator at its start",
        tensors.generators,
        not_asked(at({"rng": value("rng", 0)}), "rng"),
        (
            Said(
                "generators-restarted",
                "1 of 1 random generator is back at its start.",
                ("rng",),
                Stage.NOT_APPLIED_AT_LOAD,
            ),
        ),
        # Nothing was drawn from the generator.
        twin=alike(CONTROL, boundary={"rng": value("rng", 0)}),
    ),
    Fault(
        "a restored generator that was drawn from before the first step",
        tensors.generators,
        Pair(TWISTER, changed(resumed(TWISTER), boundary={"twister": twister(0, 5)})),
        (
            Said(
                "generators-shifted",
                "1 of 2 random generators has the control's stream of numbers, at a different position.",
                ("twister",),
            ),
        ),
        twin=Pair(TWISTER, resumed(TWISTER)),
    ),
    Fault(
        "a generator with a different seed: every word differs",
        tensors.generators,
        Pair(TWISTER, changed(resumed(TWISTER), boundary={"twister": twister(1, 4)})),
        (
            Said(
                "generators-reseeded",
                "1 of 2 random generators has a state that occurs at none of the control's saves.",
                ("twister",),
                Stage.OVERWRITTEN_AFTER_LOAD,
            ),
        ),
        twin=Pair(TWISTER, resumed(TWISTER)),
    ),
    Fault(
        "a reseeded generator",
        tensors.generators,
        at({"rng": fresh("rng")}),
        (
            Said(
                "generators-reseeded",
                "1 of 1 random generator has a state that occurs at none of the control's saves.",
                ("rng",),
                Stage.OVERWRITTEN_AFTER_LOAD,
            ),
        ),
        twin=at({"rng": value("rng", EARLIER)}),
        twin_shows=("older-checkpoint",),
    ),
    Fault(
        "lost state of a callback",
        tensors.python_state,
        full({"patience": 1.0}),
        (
            Said(
                "python-state-lost",
                "State outside the variables was not restored: patience is 1.0 instead of the control's 5.0.",
                ("patience",),
            ),
        ),
        twin=full({"patience": 5.0}),
    ),
    Fault(
        "lost state of five callbacks",
        tensors.python_state,
        Pair(
            (many := control(dict.fromkeys("abcde", Kind.PYTHON))),
            changed(resumed(many), boundary=dict.fromkeys("abcde", 1.5)),
        ),
        (
            Said(
                "python-state-lost",
                "State outside the variables was not restored: a is 1.5 instead of the control's 5.0; b is 1.5 instead of the control's 5.0; and 3 more.",
                tuple("abcde"),
            ),
        ),
        twin=Pair(many, resumed(many)),
    ),
    lost(
        "table",
        tensors.lost_others,
        "state-lost",
        "1 of 1 other state tensor has its initial value.",
        value("table", 0),
    ),
    Fault(
        "no known value",
        tensors.leftover,
        at(
            {
                "w": W + 1,
                "w/momentum": value("w/momentum", BOUNDARY) + np.eye(2, 3, dtype=np.float32),
            }
        ),
        (
            Said(
                "unexplained",
                "2 tensors differ at the boundary and match no known value.",
                ("w", "w/momentum"),
                Stage.OVERWRITTEN_AFTER_LOAD,
                f"w differs in 6 of 6 elements, by up to {apart(W, W + 1):.3g}.",
            ),
        ),
        # A metric counts only if nothing else is lost and the runs diverge.
        twin=full({"accuracy": 0.5}),
    ),
    Fault(
        "the metrics of an epoch",
        tensors.lost_metrics,
        Pair(FULL, changed(FULLY, boundary={"accuracy": 0.0}, losses={7: 0.5})),
        (
            Said(
                "state-lost",
                "1 of 1 other state tensor has its initial value.",
                ("accuracy",),
                Stage.OVERWRITTEN_AFTER_LOAD,
            ),
        ),
        twin=full({"accuracy": 0.0}),
    ),
    Fault(
        "statistics that never change in the control",
        tensors.dead_statistics,
        alike(CONTROL, boundary={"mean": ZEROS}, final={"mean": ZEROS}),
        (
            Said(
                "statistics-never-move",
                "In the control itself, 1 of 1 moving mean or variance never changed.",
                ("mean",),
                Stage.NEVER_LIVE,
            ),
        ),
        # A different final value is enough of a change.
        twin=alike(CONTROL, boundary={"mean": ZEROS}),
    ),
    Fault(
        "averages that never change in the control",
        tensors.dead_shadows,
        alike(CONTROL, boundary=STILL, final=STILL),
        (
            Said(
                "shadows-never-move",
                "In the control itself, 1 of 1 shadow variable never changed, although weights did.",
                ("w/average",),
                Stage.NEVER_LIVE,
            ),
        ),
        # No weight changes either: the averages have nothing to follow.
        twin=alike(CONTROL, boundary=STOPPED, final=STOPPED),
    ),
)


@cases(FAULTS)
def test_fault_is_caught(fault: Fault) -> None:
    assert_caught(fault)


@cases(FAULTS)
def test_twin_does_not_alarm(fault: Fault) -> None:
    assert_silent_on_twin(fault)
