"""Reports in memory, as outputs show them: each from the small runs of `tests/builder.py`."""

from typing import Any

from ckptcheck import Case, Report
from ckptcheck.comparison.noise_floor import NoiseFloor
from ckptcheck.diagnosis.allowances import Terms, parse
from ckptcheck.kinds import Kind
from ckptcheck.report.evidence import Pair
from ckptcheck.report.judge import Question, judge_pair
from ckptcheck.run.run import Failure, Run
from ckptcheck.tolerance import Tolerance
from tests.builder import AFTER, changed, control, resumed, value

CONTROL = control({"w/variance": Kind.MOVING_STATISTIC})
RESUMED = resumed(CONTROL)
INITIAL = {name: tensor.value for name, tensor in CONTROL.initial.items()}
LATER_LOSSES = dict.fromkeys(AFTER[1:], 9.0)
EVERY_LOSS = dict.fromkeys(AFTER, 9.0)


def case(
    run: Run = RESUMED,
    job: str = "train.py:Train",
    restore: str = "keras",
    expected: str = "recovered",
    *,
    allow: tuple[str, ...] = (),
    tolerance: Tolerance | None = None,
    framework: str = "",
    **pair: Any,
) -> Case:
    """Judge a run that was resumed from the control."""
    terms = Terms(tolerance or Tolerance(), parse(allow))
    control = changed(CONTROL, framework=framework)
    return judge_pair(Question(job, restore, expected), Pair(control, run, **pair), terms)


def lost(*names: str, **columns: Any) -> Run:
    """Return a resumed run whose restore left tensors out."""
    asked = {name: name for name in CONTROL.boundary if name not in names}
    return changed(
        RESUMED, boundary={name: INITIAL[name] for name in names}, asked=asked, **columns
    )


# --- What restores do ---------------------------------------------------------------------------

REFUSED = changed(
    RESUMED,
    failure=Failure("restore", "NotFoundError", "Key w/average not found"),
    first_step=None,
    asked={"w": "w/average"},
    held=["w", "mean", "w/variance"],
)
STATISTICS_LOST = lost("mean", "w/variance", "w/momentum", "step", losses=LATER_LOSSES)
STATISTICS_LOST = changed(STATISTICS_LOST, evaluations={5: 0.5})
AVERAGED = changed(
    lost("w/average", losses=EVERY_LOSS, evaluations={5: 0.5}),
    boundary={"w": value("w/average", 5), "w/average": INITIAL["w/average"]},
)
SLOTS_LOST = lost("w/momentum", losses=LATER_LOSSES)
HIDDEN = changed(RESUMED, losses={6: 0.5})
NOISE = NoiseFloor(
    1,
    training_loss=0.2,
    losses=(0.0, 0.2, 0.2),
    first_difference="the training loss of step 6 is 0.3 instead of 0.2",
)
UNFINISHED = Case(
    "train.py:Train",
    "backup",
    "recovered",
    "inconclusive",
    reason="The resumed run did not finish: it was killed by SIGKILL.",
    control=CONTROL,
)


def default_report() -> Report:
    """Return what the six default cases do."""
    return Report(
        (
            case(job="bn-nn", restore="saver"),
            case(REFUSED, "bn-nn", "ema", "refused"),
            case(job="bn-layers", restore="saver"),
            case(STATISTICS_LOST, "bn-layers", "trainable", "diverged"),
            case(job="bn-polyak", restore="saver"),
            case(AVERAGED, "bn-polyak", "ema", "diverged", framework="tf1"),
        ),
        {},
    )
