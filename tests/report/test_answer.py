"""The answer in prose and the verdict in one line, for every kind of report."""

import re
from dataclasses import replace

import numpy as np
import pytest

from ckptcheck import Case, Kind
from ckptcheck.diagnosis.catalogue import CAUSES
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.report.answer import answer, verdict_line
from ckptcheck.report.evidence import Pair
from ckptcheck.report.judge import Question, judge_pair
from ckptcheck.tolerance import Tolerance
from tests.builder import changed, resumed
from tests.report.outputs.cases import (
    AVERAGED,
    CONTROL,
    HIDDEN,
    NOISE,
    REFUSED,
    RESUMED,
    SLOTS_LOST,
    STATISTICS_LOST,
    UNFINISHED,
    case,
    default_report,
)

NOTHING = "No case was verified, so nothing is known to recover."
BIT_FOR_BIT = "it continues bit for bit as if never interrupted."


# --- Jobs whose restores prose can name ---------------------------------------------------------


def test_the_question_of_the_default_run() -> None:
    assert answer(default_report().cases) == (
        "A plain Saver brings every moving mean and variance back, bit for bit. "
        "`ema.variables_to_restore()` is not needed: it fails in bn-nn and puts averages into the "
        "weights in bn-polyak. `Saver(tf.trainable_variables())` loses the moving means and "
        "variances in bn-layers."
    )


def test_one_shipped_job_is_not_named() -> None:
    cases = [case(RESUMED, "bn-nn", "saver"), case(REFUSED, "bn-nn", "ema")]
    assert answer(cases) == (
        "A plain Saver brings every moving mean and variance back, bit for bit. "
        "`ema.variables_to_restore()` is not needed: it fails."
    )
    assert answer(cases[1:]) == "`ema.variables_to_restore()` fails."


def test_restores_that_do_the_same_share_a_sentence() -> None:
    cases = [case(RESUMED, "bn-nn", "saver"), case(RESUMED, "bn-nn", "ema-none")]
    assert answer(cases) == (
        "Each of a plain Saver and `ema.variables_to_restore([])` brings every moving mean and "
        "variance back, bit for bit."
    )


def test_a_restore_that_was_tried_in_some_jobs_names_them() -> None:
    cases = [
        case(RESUMED, "bn-nn", "saver"),
        case(RESUMED, "bn-layers", "saver"),
        case(RESUMED, "bn-nn", "ema-none"),
    ]
    assert answer(cases).endswith(
        "`ema.variables_to_restore([])` brings every moving mean and variance back in bn-nn, bit "
        "for bit."
    )


def test_a_restore_that_recovers_in_some_jobs() -> None:
    cases = [case(RESUMED, "bn-nn", "saver"), case(AVERAGED, "bn-polyak", "saver")]
    assert answer(cases) == (
        "A plain Saver recovers in bn-nn, but puts averages into the weights in bn-polyak."
    )


def test_a_shipped_job_without_moving_statistics() -> None:
    snapshots = {
        point: {name: each for name, each in state.items() if each.kind != Kind.MOVING_STATISTIC}
        for point, state in CONTROL.snapshots.items()
    }
    plain = replace(CONTROL, snapshots=snapshots)
    question = Question("plain", "saver", "recovered")
    assert answer([judge_pair(question, Pair(plain, resumed(plain)))]) == (
        "A plain Saver brings every tensor back, bit for bit."
    )


def test_what_is_not_exact_is_not_called_so() -> None:
    within = case(HIDDEN, "bn-nn", "saver", tolerance=Tolerance(rtol=0.9))
    assert answer([within]) == "A plain Saver recovers, within the tolerance rtol=0.9."
    partly = case(AVERAGED, "bn-polyak", "saver")
    assert answer([within, partly]) == (
        "A plain Saver recovers in bn-nn, within the tolerance rtol=0.9, but puts averages into "
        "the weights in bn-polyak."
    )
    accepted = case(SLOTS_LOST, "bn-nn", "trainable", allow=("slots-lost",))
    assert answer([accepted]) == (
        "`Saver(tf.trainable_variables())` recovers, apart from the accepted slots-lost."
    )


# --- Other jobs ---------------------------------------------------------------------------------


def test_a_users_job() -> None:
    cases = [
        case(restore="keras"),
        case(restore="checkpoint"),
        case(restore="backup"),
        case(SLOTS_LOST, restore="weights"),
    ]
    assert answer(cases) == (
        f"Train recovers with `keras`, `checkpoint` and `backup`: {BIT_FOR_BIT} "
        "`weights` loses the optimizer state."
    )


def test_restores_that_lose_the_same_share_a_sentence() -> None:
    cases = [case(), case(SLOTS_LOST, restore="a"), case(SLOTS_LOST, restore="b")]
    assert answer(cases).endswith("Each of `a` and `b` loses the optimizer state.")


def test_nothing_recovers() -> None:
    assert answer([case(SLOTS_LOST), case(STATISTICS_LOST, restore="weights")]) == (
        "Train does not recover with `keras` or `weights`. `keras` loses the optimizer state. "
        "`weights` loses the moving means and variances, the optimizer state and the step counter."
    )


def test_only_the_judged_restores_are_said_to_fail() -> None:
    a, b = (case(SLOTS_LOST, restore=restore) for restore in "ab")
    assert answer([a]) == "Train does not recover with `a`: it loses the optimizer state."
    assert answer([a, b]) == (
        "Train does not recover with `a` or `b`: each loses the optimizer state."
    )


def test_effects_on_one_object_name_it_once() -> None:
    causes = ("generators-restarted", "generators-reseeded", "step-lost")
    found = tuple(Diagnosis(cause, None, "", "") for cause in causes)
    assert answer([replace(case(SLOTS_LOST), diagnoses=found)]) == (
        "Train does not recover with `keras`: it restarts and reseeds the random generators and "
        "loses the step counter."
    )


def test_what_is_unknown_and_why() -> None:
    assert answer([case(), UNFINISHED]) == (
        f"Train recovers with `keras`: {BIT_FOR_BIT} Whether Train recovers with `backup` is "
        "unknown. The resumed run did not finish: it was killed by SIGKILL."
    )
    # A restore that fails is no reason to call the unknown one a failure, too.
    assert answer([case(SLOTS_LOST), UNFINISHED]).startswith(
        "Train does not recover with `keras`: it loses the optimizer state. Whether"
    )


@pytest.mark.parametrize(
    ("judged", "how"),
    [
        (case(HIDDEN, tolerance=Tolerance(rtol=0.9)), "within the tolerance rtol=0.9"),
        (
            case(changed(RESUMED, losses={6: 0.29}), noise=NOISE, noise_asked=True),
            "within the noise of the job itself",
        ),
        (case(SLOTS_LOST, allow=("slots-lost",)), "apart from the accepted slots-lost"),
        (replace(case(HIDDEN), outcome="recovered", diagnoses=()), "but not bit for bit"),
    ],
)
def test_how_it_recovered_where_that_is_not_bit_for_bit(judged: Case, how: str) -> None:
    assert answer([judged]) == f"Train recovers with `keras`, {how}."


def test_several_boundaries() -> None:
    exact = [replace(case(), boundary=boundary) for boundary in (3, 5)]
    lossy = [
        replace(case(SLOTS_LOST, restore="weights"), boundary=5),
        replace(case(restore="weights"), boundary=3),
    ]
    assert answer([*exact, *lossy]) == (
        f"Train recovers with `keras` from every boundary: {BIT_FOR_BIT} "
        "Train recovers with `weights` from step 3, but not from 5: it loses the optimizer state."
    )


def at(steps: tuple[int, ...], judged: Case) -> list[Case]:
    return [replace(judged, boundary=step) for step in steps]


LATE = [*at((1, 7), case()), *at((14, 20), case(SLOTS_LOST))]


def test_a_restore_that_recovers_from_some_boundaries() -> None:
    assert answer(LATE) == (
        "Train recovers with `keras` from steps 1 and 7, but not from 14 and 20: it loses the "
        "optimizer state."
    )
    noisy = case(HIDDEN, tolerance=Tolerance(rtol=0.9))
    assert answer([*at((1,), noisy), *at((14,), case(SLOTS_LOST))]).startswith(
        "Train recovers with `keras` from step 1, within the tolerance rtol=0.9, but not from 14: "
    )


def test_boundaries_that_are_unknown_are_named() -> None:
    unknown = at((7,), replace(UNFINISHED, restore="keras"))
    why = (
        "Whether Train recovers with `keras` from step 7 is unknown. The resumed run did not "
        "finish: it was killed by SIGKILL."
    )
    assert answer([*at((1,), case()), *unknown]) == (
        f"Train recovers with `keras` from step 1: {BIT_FOR_BIT} {why}"
    )
    assert answer([*at((1,), case()), *unknown, *at((14,), case(SLOTS_LOST))]) == (
        "Train recovers with `keras` from step 1, but not from 14: it loses the optimizer state. "
        + why
    )
    assert answer([*unknown, *at((14,), case(SLOTS_LOST))]) == (
        "Train does not recover with `keras`: it loses the optimizer state when resumed after "
        f"step 14. {why}"
    )


def test_a_fault_of_the_control() -> None:
    still = {"mean": np.zeros((2, 3), np.float32), "w/variance": np.zeros((2, 3), np.float32)}
    dead = changed(CONTROL, boundary=still, final=still)
    judged = judge_pair(Question("job", "all", "recovered"), Pair(dead, resumed(dead)))
    assert answer([judged]) == (
        f"job recovers with `all`: {BIT_FOR_BIT} job itself does not update the moving means and "
        "variances."
    )


def test_many_jobs_share_sentences() -> None:
    jobs = [case(job=name) for name in "abc"]
    jobs += [case(job="d"), case(SLOTS_LOST, job="d", restore="weights"), case(SLOTS_LOST, job="e")]
    jobs += [replace(UNFINISHED, job="f")]
    assert answer(jobs) == (
        "Every tested restore recovers in a, b and c, bit for bit. d recovers with `keras`, but "
        "not with `weights`. No tested restore recovers in e. Whether every tested restore "
        "recovers is unknown in f."
    )


def test_many_jobs_say_what_is_known_beside_what_is_not() -> None:
    jobs = [case(job=name) for name in "abc"]
    mixed = [case(), case(SLOTS_LOST, restore="weights"), UNFINISHED]
    lossy = [case(SLOTS_LOST, job="e"), replace(UNFINISHED, job="e")]
    late = [replace(each, job="late") for each in LATE]
    assert answer([*jobs, *mixed, *lossy, *late]) == (
        "Every tested restore recovers in a, b and c, bit for bit. Train recovers with `keras`, "
        "but not with `weights`. Whether Train recovers with `backup` is unknown. e does not "
        "recover with `keras`. Whether e recovers with `backup` is unknown. late recovers with "
        "`keras` from steps 1 and 7, but not from 14 and 20."
    )


def test_many_jobs_say_how_they_recover() -> None:
    within = [case(HIDDEN, job=name, tolerance=Tolerance(rtol=0.9)) for name in "ab"]
    accepted = case(SLOTS_LOST, job="c", allow=("slots-lost",))
    mixed = [replace(within[0], job="d"), case(SLOTS_LOST, job="d", restore="weights")]
    assert answer([*within, accepted, *mixed]) == (
        "Every tested restore recovers in a and b, within the tolerance rtol=0.9. Every tested "
        "restore recovers in c, apart from the accepted slots-lost. d recovers with `keras`, "
        "within the tolerance rtol=0.9, but not with `weights`."
    )


def test_no_case() -> None:
    assert answer([]) == NOTHING
    assert verdict_line([]) == f"INCONCLUSIVE: {NOTHING}"


# --- The verdict in one line --------------------------------------------------------------------

LOST = case(SLOTS_LOST, restore="weights")
EXPECTED = case(SLOTS_LOST, restore="weights", expected="diverged")
WITHIN = case(HIDDEN, tolerance=Tolerance(rtol=0.9))
ACCEPTED = case(SLOTS_LOST, allow=("slots-lost",))


@pytest.mark.parametrize(
    ("cases", "line"),
    [
        ([case()], "PASS: 1 of 1 case recovered."),
        ([case(), case(restore="a")], "PASS: 2 of 2 cases recovered."),
        (
            default_report().cases,
            "As expected: 3 recovered, 3 failed as they should.",
        ),
        ([EXPECTED], "As expected: 1 failed as it should."),
        ([WITHIN], "PASS: 1 of 1 case recovered, within the tolerance rtol=0.9."),
        ([ACCEPTED], "PASS: 1 of 1 case recovered, apart from accepted differences."),
        (
            [WITHIN, EXPECTED],
            "As expected: 1 recovered (within the tolerance rtol=0.9), 1 failed as it should.",
        ),
        (
            [case(), LOST],
            "FAIL: 1 of 2 cases did not do what was expected: Train × weights diverged.",
        ),
        (
            [case(expected="refused")],
            "FAIL: 1 of 1 case did not do what was expected: Train × keras recovered.",
        ),
        ([UNFINISHED], "INCONCLUSIVE: 1 of 1 case could not be judged: Train × backup."),
        (
            [LOST, UNFINISHED],
            "FAIL: 1 of 2 cases did not do what was expected: Train × weights diverged. 1 could "
            "not be judged.",
        ),
    ],
)
def test_verdict_line(cases: list[Case], line: str) -> None:
    assert verdict_line(cases) == line


def test_the_line_names_causes_on_request() -> None:
    assert verdict_line([LOST], causes=True).endswith("Train × weights diverged (slots-lost).")


def test_two_jobs_of_one_name_keep_their_files() -> None:
    cases = [case(SLOTS_LOST, job="a.py:Train"), case(SLOTS_LOST, job="b.py:Train")]
    assert "a.py:Train × keras diverged, b.py:Train × keras diverged." in verdict_line(cases)


def test_not_finite_names_the_tensors() -> None:
    nan = np.full((2, 3), np.nan, np.float32)
    several = changed(RESUMED, boundary=dict.fromkeys(("w", "mean", "w/momentum"), nan))
    one = changed(RESUMED, boundary={"w": nan})
    assert answer([case(one, "Train", "own")]) == (
        "Train does not recover with `own`: it restores NaN or infinity into `w`."
    )
    assert answer([case(several, "Train", "own")]) == (
        "Train does not recover with `own`: it restores NaN or infinity into `w` and 2 more."
    )


def test_a_job_that_failed_before_it_named_its_restores() -> None:
    nameless = replace(UNFINISHED, restore="", reason="The control did not finish: no data.")
    assert answer([nameless]) == (
        "Whether Train recovers is unknown. The control did not finish: no data."
    )
    assert verdict_line([nameless]) == "INCONCLUSIVE: 1 of 1 case could not be judged: Train."
    assert (nameless.name, nameless.label) == ("train.py:Train", "–")
    assert nameless.document()["restore"] is None


def test_all_that_a_restore_loses_is_listed_where_it_fits() -> None:
    causes = ("weights-lost", "moving-statistics-lost", "slots-lost", "step-lost", "noise")
    found = tuple(Diagnosis(cause, None, "", "") for cause in causes[:4])
    lost = replace(LOST, diagnoses=found)
    assert answer([lost]) == (
        "Train does not recover with `weights`: it loses the trained weights, the moving "
        "means and variances, the optimizer state and the step counter."
    )


def test_what_does_not_fit_is_counted() -> None:
    found = tuple(Diagnosis(cause, None, "", "") for cause in CAUSES)
    said = answer([replace(LOST, diagnoses=found)])
    assert re.search(r", and has \d+ more faults\.", said)
    assert len(said) < 450
