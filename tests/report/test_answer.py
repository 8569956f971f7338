"""The answer in prose and the verdict in one line, for every kind of report."""

from dataclasses import replace

import numpy as np
import pytest

from ckptcheck import Case, Kind
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
        "No restore of Train recovers: `keras` loses the optimizer state and `weights` loses the "
        "moving means and variances, the optimizer state and the step counter."
    )


def test_what_is_unknown_and_why() -> None:
    assert answer([case(), UNFINISHED]) == (
        f"Train recovers with `keras`: {BIT_FOR_BIT} Whether Train recovers with `backup` is "
        "unknown. The resumed run did not finish: it was killed by SIGKILL."
    )
    # A restore that fails is no reason to call the unknown one a failure, too.
    assert answer([case(SLOTS_LOST), UNFINISHED]).startswith("`keras` loses the optimizer state.")


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
        "`weights` loses the optimizer state when resumed after step 5."
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
        "Every restore recovers in a, b and c, bit for bit. d recovers with `keras` only. No "
        "restore recovers in e. Whether every restore recovers is unknown in f."
    )


def test_no_case() -> None:
    assert answer([]) == NOTHING
    assert verdict_line([]) == f"INCONCLUSIVE: {NOTHING}"


# --- The verdict in one line --------------------------------------------------------------------

LOST = case(SLOTS_LOST, restore="weights")
EXPECTED = case(SLOTS_LOST, restore="weights", expected="diverged")


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
