"""The report on a terminal of 80 columns, whole: what stands where, and what is left out."""

import io
from dataclasses import replace

import pytest

from ckptcheck import Report
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.job.schedule import Schedule
from ckptcheck.kinds import Kind
from ckptcheck.report.evidence import Pair
from ckptcheck.report.judge import Question, judge_pair
from ckptcheck.report.outputs.console import SafeConsole
from ckptcheck.report.outputs.terminal import show, show_line
from ckptcheck.run.run import Failure
from ckptcheck.tolerance import Tolerance
from tests.builder import changed, control, resumed
from tests.report.outputs.cases import (
    CONTROL,
    HIDDEN,
    INITIAL,
    NOISE,
    REFUSED,
    RESUMED,
    SLOTS_LOST,
    STATISTICS_LOST,
    UNFINISHED,
    case,
    default_report,
)

WHERE = "Curves: ckptcheck-out/curves.png   All numbers: ckptcheck-out/report.json"
VARIES = changed(RESUMED, losses={6: 0.29})
BOUNDARIES_TRIED = (
    replace(case(), boundary=5),
    replace(case(), boundary=7),
    replace(case(SLOTS_LOST, restore="weights"), boundary=5),
    replace(case(restore="weights"), boundary=7),
)


def shown(report: Report, *, width: int = 80, verbose: bool = False, where: str = "") -> str:
    file = io.StringIO()
    show(report, SafeConsole(file=file, width=width), verbose=verbose, where=where)
    return file.getvalue()


def line_of(report: Report) -> str:
    file = io.StringIO()
    show_line(report, SafeConsole(file=file, width=80))
    return file.getvalue()


DEFAULT = """\
                                 tensors   evaluation loss      training
job        restore    outcome      equal  resumed, control  losses equal
bn-nn      saver      recovered      7/7         0.2 = 0.2           3/3
bn-nn      ema        refused          –                 –             –
bn-layers  saver      recovered      7/7         0.2 = 0.2           3/3
bn-layers  trainable  diverged       3/7         0.5 ≠ 0.2           1/3
bn-polyak  saver      recovered      7/7         0.2 = 0.2           3/3
bn-polyak  ema        diverged       5/7         0.5 ≠ 0.2           0/3

Saved after step 5 of 8: the state is compared there, losses from there on.
Moving means and variances all bit-equal: saver in every job; ema in bn-polyak.
  but not bn-layers × trainable: 2 of 2 differ, mean by 3.19.

bn-nn × ema: refused, as expected
  shadows-not-in-checkpoint (breaks training): The restore asked for 1 shadow
  variable that the checkpoint does not hold: w/average.
  → Ask for what was saved: for the weights, not for their averages.
    np.load(path).files lists what a file holds, as does `ckptcheck inspect`.

bn-layers × trainable: diverged, as expected
  moving-statistics-lost (breaks training; not applied at load): 2 of 2 moving
  means and variances have their initial values.
  slots-lost (changes the trajectory; not applied at load): 1 of 1 optimizer
  slot has its initial value.
  step-lost (changes the trajectory; not applied at load): The step counter is 0
  instead of the control's 5.
  → The checkpoint holds the lost tensors, but the restore did not ask for them.
    Read them, too: tensors.update(np.load(path)).

bn-polyak × ema: diverged, as expected
  shadows-in-weights (breaks training): 1 of 1 weight has the value of its
  moving average.
  shadows-lost (breaks training; not applied at load): 1 of 1 shadow variable
  (moving average of a weight) has its initial value.
  → Restore with tf.train.Saver() to continue training. Use
    ema.variables_to_restore() for evaluation only.

Curves: ckptcheck-out/curves.png   All numbers: ckptcheck-out/report.json

A plain Saver brings every moving mean and variance back, bit for bit.
`ema.variables_to_restore()` is not needed: it fails in bn-nn and puts averages
into the weights in bn-polyak. `Saver(tf.trainable_variables())` loses the
moving means and variances in bn-layers.
As expected: 3 recovered, 3 failed as they should.
"""


def test_the_default_run() -> None:
    text = shown(default_report(), where=WHERE)
    assert text == DEFAULT
    lines = text.splitlines()
    assert len(lines) <= 45
    assert max(map(len, lines)) <= 80


RECOVERED = """\
                              tensors   evaluation loss      training
job    restore     outcome      equal  resumed, control  losses equal
Train  keras       recovered      7/7         0.2 = 0.2           3/3
Train  checkpoint  recovered      7/7         0.2 = 0.2           3/3

Saved after step 5 of 8: the state is compared there, losses from there on.
Moving means and variances: bit-equal with every restore.

Train recovers with `keras` and `checkpoint`: it continues bit for bit as if
never interrupted.
PASS: 2 of 2 cases recovered.
"""


def test_a_users_job_that_recovers() -> None:
    assert shown(Report((case(), case(restore="checkpoint")), {})) == RECOVERED


UNEXPECTED = """\
                                tensors   evaluation loss      training
job    restore  outcome           equal  resumed, control  losses equal
Train  keras    recovered           7/7         0.2 = 0.2           3/3
Train  weights  diverged ✗          6/7         0.2 = 0.2           1/3
Train  backup   inconclusive ✗        –                 –             –

Saved after step 5 of 8: the state is compared there, losses from there on.
✗: expected recovered.
Moving means and variances: bit-equal with `keras` and `weights`.

Train × weights: diverged, expected recovered ✗
  slots-lost (changes the trajectory; not applied at load)
  1 of 1 optimizer slot has its initial value.
  w/momentum
  → The checkpoint holds the lost tensors, but the restore did not ask for them.
    Read them, too: tensors.update(np.load(path)).
  To accept: --allow slots-lost

Train recovers with `keras`: it continues bit for bit as if never interrupted.
`weights` loses the optimizer state. Whether Train recovers with `backup` is
unknown. The resumed run did not finish: it was killed by SIGKILL.
FAIL: 1 of 3 cases did not do what was expected: Train × weights diverged. 1 could not be judged.
"""


def test_an_unexpected_failure_and_an_unknown() -> None:
    assert (
        shown(Report((case(), case(SLOTS_LOST, restore="weights"), UNFINISHED), {})) == UNEXPECTED
    )


REFUSAL = """\
                           tensors   evaluation loss      training
job    restore  outcome      equal  resumed, control  losses equal
Train  keras    refused ✗        –                 –             –

Saved after step 5 of 8: the state is compared there, losses from there on.
✗: expected recovered.

Train × keras: refused, expected recovered ✗
  shadows-not-in-checkpoint (breaks training)
  The restore asked for 1 shadow variable that the checkpoint does not hold:
  w/average.
  → Ask for what was saved: for the weights, not for their averages.
    np.load(path).files lists what a file holds, as does `ckptcheck inspect`.

Train does not recover with `keras`: it asks for averages that were never saved.
FAIL: 1 of 1 case did not do what was expected: Train × keras was refused.
"""


def test_an_unexpected_refusal() -> None:
    assert shown(Report((case(REFUSED),), {})) == REFUSAL


UNKNOWN = """\
                                tensors   evaluation loss      training
job    restore  outcome           equal  resumed, control  losses equal
Train  backup   inconclusive ✗        –                 –             –

Saved after step 5 of 8: the state is compared there, losses from there on.
✗: expected recovered.

Whether Train recovers with `backup` is unknown. The resumed run did not finish:
it was killed by SIGKILL.
INCONCLUSIVE: 1 of 1 case could not be judged: Train × backup.
"""


def test_inconclusive() -> None:
    assert shown(Report((UNFINISHED,), {})) == UNKNOWN


TOLERATED = """\
                           tensors   evaluation loss      training
job    restore  outcome      equal  resumed, control  losses equal
Train  keras    recovered      7/7         0.2 = 0.2           3/3

Saved after step 5 of 8: the state is compared there, losses from there on.
Equal means: within the tolerance rtol=0.9.
Moving means and variances: bit-equal with `keras`.

Train recovers with `keras`, within the tolerance rtol=0.9.
PASS: 1 of 1 case recovered, within the tolerance rtol=0.9.
"""


def test_within_a_tolerance() -> None:
    assert shown(Report((case(HIDDEN, tolerance=Tolerance(rtol=0.9)),), {})) == TOLERATED


NOISY = """\
                           tensors   evaluation loss      training
job    restore  outcome      equal  resumed, control  losses equal
Train  keras    recovered      7/7         0.2 = 0.2           3/3

Saved after step 5 of 8: the state is compared there, losses from there on.
Train is not reproducible (the training loss of step 6 is 0.3 instead of 0.2).
Tensors at the boundary are compared exactly. After it, equal means within 3
times the largest difference among 2 controls: 0.2 in the training loss, 0 in
the evaluation loss.
Moving means and variances: bit-equal with `keras`.

Train recovers with `keras`, within the noise of the job itself.
PASS: 1 of 1 case recovered, within the noise of the job itself.
"""


def test_within_noise() -> None:
    assert shown(Report((case(VARIES, noise=NOISE, noise_asked=True),), {})) == NOISY


MAY_BE_NOISE = """\
                                tensors   evaluation loss      training
job    restore  outcome           equal  resumed, control  losses equal
Train  keras    inconclusive ✗      7/7         0.2 = 0.2           2/3

Saved after step 5 of 8: the state is compared there, losses from there on.
✗: expected recovered.
Moving means and variances: bit-equal with `keras`.

Train × keras: inconclusive, expected recovered ✗
  noise (changes the trajectory)
  The job is not reproducible: when the control runs again, the training loss of
  step 6 is 0.3 instead of 0.2.
  → Seed every random generator, random.seed(0) and np.random.seed(0), and
    compute everything in a fixed order. Or measure the noise with --repeat N:
    losses are then judged against it.

Whether Train recovers with `keras` is unknown. Every tensor at the boundary is
equal, but the job is not reproducible, so a difference after it may be noise.
Measure the noise with --repeat N.
INCONCLUSIVE: 1 of 1 case could not be judged: Train × keras.
"""


def test_noise_that_decides() -> None:
    assert shown(Report((case(VARIES, noise=NOISE),), {})) == MAY_BE_NOISE


ACCEPTED = """\
                                       tensors   evaluation loss      training
job    restore  outcome                  equal  resumed, control  losses equal
Train  weights  recovered, as allowed      6/7         0.2 = 0.2           1/3

Saved after step 5 of 8: the state is compared there, losses from there on.
Moving means and variances: bit-equal with `weights`.

Train × weights: recovered, as allowed
  accepted: slots-lost (changes the trajectory; not applied at load)
  1 of 1 optimizer slot has its initial value.
  w/momentum

Train recovers with `weights`, apart from the accepted slots-lost.
PASS: 1 of 1 case recovered, apart from accepted differences.
"""


def test_moving_statistics_of_one_job() -> None:
    lossy = changed(RESUMED, boundary={"mean": INITIAL["mean"]})
    cases = case(), case(restore="checkpoint"), case(lossy, restore="weights")
    assert (
        "\nMoving means and variances: bit-equal with `keras` and `checkpoint`.\n"
        "  Train × weights: 1 of 2 differs: mean by 3.19.\n"
    ) in shown(Report(cases, {}))
    assert "\n2 of 2 equal: keras, checkpoint.\n" in shown(Report(cases, {}), verbose=True)


def test_moving_statistics_that_a_pattern_accepts_differ() -> None:
    text = shown(Report((case(STATISTICS_LOST, allow=("*",)),), {}))
    assert "Train  keras    recovered, as allowed      3/7" in text
    assert "\nMoving means and variances:\n  Train × keras: 2 of 2 differ, mean by 3.19.\n" in text


def test_accepted_differences() -> None:
    assert (
        shown(Report((case(SLOTS_LOST, restore="weights", allow=("slots-lost",)),), {})) == ACCEPTED
    )


NOT_ALL_ACCEPTABLE = """\
                            tensors   evaluation loss      training
job    restore  outcome       equal  resumed, control  losses equal
Train  keras    diverged ✗      7/7         0.2 = 0.2           2/3

Saved after step 5 of 8: the state is compared there, losses from there on.
✗: expected recovered.
Moving means and variances: bit-equal with `keras`.

Train × keras: diverged, expected recovered ✗
  unexplained (breaks training)
  The training loss of step 6 is 0.5 instead of the control's
  0.2857142857142857.
  → Look for state outside the compared tensors: attributes of Python objects,
    vars(trainer), random generators, the input pipeline.

Train does not recover with `keras`: it diverges for no recorded reason.
FAIL: 1 of 1 case did not do what was expected: Train × keras diverged.
"""


def test_what_cannot_be_accepted() -> None:
    assert shown(Report((case(HIDDEN),), {})) == NOT_ALL_ACCEPTABLE


BOUNDARIES = """\
                                tensors   evaluation loss      training
job    restore      outcome       equal  resumed, control  losses equal
Train  keras @ 5    recovered       7/7         0.2 = 0.2           3/3
Train  keras @ 7    recovered       7/7         0.2 = 0.2           3/3
Train  weights @ 5  diverged ✗      6/7         0.2 = 0.2           1/3
Train  weights @ 7  recovered       7/7         0.2 = 0.2           3/3

Saved after step 5 of 8: the state is compared there, losses from there on.
✗: expected recovered.
Moving means and variances: bit-equal with every restore.

Train × weights @ 5: diverged, expected recovered ✗
  slots-lost (changes the trajectory; not applied at load)
  1 of 1 optimizer slot has its initial value.
  w/momentum
  → The checkpoint holds the lost tensors, but the restore did not ask for them.
    Read them, too: tensors.update(np.load(path)).
  To accept: --allow slots-lost

Train recovers with `keras` from every boundary: it continues bit for bit as if
never interrupted. Train recovers with `weights` from step 7, but not from 5: it
loses the optimizer state.
FAIL: 1 of 4 cases did not do what was expected: Train × weights @ 5 diverged.
"""


def test_several_boundaries() -> None:
    assert shown(Report(BOUNDARIES_TRIED, {})) == BOUNDARIES


VERBOSE = """\
                            tensors   evaluation loss      training
job    restore  outcome       equal  resumed, control  losses equal
Train  weights  diverged ✗      3/7         0.5 ≠ 0.2           1/3
Train  keras    recovered       7/7         0.2 = 0.2           3/3

recovered: continues bit for bit as if never interrupted
diverged: continues on a different trajectory
Saved after step 5 of 8: the state is compared there, losses from there on.
✗: expected recovered.

Train: norms of the moving means and variances after the restore
            control         weights    keras
mean          3.942  0, off by 3.19  = 3.942
w/variance     2.55  0, off by 1.66   = 2.55

Train × weights: diverged, expected recovered ✗
  moving-statistics-lost (breaks training; not applied at load)
  2 of 2 moving means and variances have their initial values. Evaluation
  normalises with them, so it is wrong from the restart on. The training loss
  does not show it, because training normalises with the batch.
  mean, w/variance
  slots-lost (changes the trajectory; not applied at load)
  1 of 1 optimizer slot has its initial value. An optimizer acts after the loss
  of a step. Lost slots alone leave the first resumed loss equal and change
  every later one.
  w/momentum
  step-lost (changes the trajectory; not applied at load)
  The step counter is 0 instead of the control's 5. Batches, schedules and
  warm-ups continue from there.
  step
  → The checkpoint holds the lost tensors, but the restore did not ask for them.
    Read them, too: tensors.update(np.load(path)).
  To accept: --allow moving-statistics-lost --allow slots-lost --allow step-lost

Train recovers with `keras`: it continues bit for bit as if never interrupted.
`weights` loses the moving means and variances, the optimizer state and the step
counter.
FAIL: 1 of 2 cases did not do what was expected: Train × weights diverged.
"""


def test_verbose_shows_every_table_and_explanation() -> None:
    assert (
        shown(Report((case(STATISTICS_LOST, restore="weights"), case()), {}), verbose=True)
        == VERBOSE
    )


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (
            default_report(),
            "As expected: 3 recovered, 3 failed as they should. 2 warnings: "
            "bn-layers × trainable: the restore does not cover 4 of 7 tensors, which keep their initial values: …",
        ),
        (
            Report((case(), case(restore="checkpoint")), {}),
            "PASS: 2 of 2 cases recovered.",
        ),
        (
            Report((case(), case(SLOTS_LOST, restore="weights"), UNFINISHED), {}),
            "FAIL: 1 of 3 cases did not do what was expected: Train × weights diverged "
            "(slots-lost). 1 could not be judged. 1 warning: train.py:Train × weights: the restore does not cover 1 of 7 "
            "tensors, which keeps its initial …",
        ),
        (
            Report((case(REFUSED),), {}),
            "FAIL: 1 of 1 case did not do what was expected: Train × keras was refused "
            "(shadows-not-in-checkpoint).",
        ),
        (
            Report((UNFINISHED,), {}),
            "INCONCLUSIVE: 1 of 1 case could not be judged: Train × backup.",
        ),
        (
            Report((), {}),
            "INCONCLUSIVE: No case was verified, so nothing is known to recover.",
        ),
    ],
)
def test_quiet_is_one_line(report: Report, line: str) -> None:
    assert line_of(report) == f"{line}\n"


def test_a_pipe_gets_no_escape_codes_and_the_verdict_in_one_line() -> None:
    many = Report(tuple(case(SLOTS_LOST, restore=f"weights-{number}") for number in range(9)), {})
    for text in (shown(many), shown(many, verbose=True)):
        assert "\x1b" not in text
        assert not any(line != line.rstrip() for line in text.splitlines())
        assert text.splitlines()[-1] == (
            "FAIL: 9 of 9 cases did not do what was expected: Train × weights-0 diverged, "
            "Train × weights-1 diverged, Train × weights-2 diverged, Train × weights-3 diverged, "
            "Train × weights-4 diverged and 4 more."
        )


def test_cases_that_say_the_same_share_a_paragraph() -> None:
    text = shown(Report((case(SLOTS_LOST, restore="a"), case(SLOTS_LOST, restore="b")), {}))
    assert "Train × a, b: diverged, expected recovered ✗\n" in text
    assert "Each of `a` and `b`" not in text
    assert "Train does not recover with `a` or `b`: each loses the optimizer state.\n" in text


def test_a_wide_terminal_has_longer_lines() -> None:
    text = shown(default_report(), width=140, where=WHERE)
    assert 80 < max(map(len, text.splitlines())) <= 140
    assert len(text.splitlines()) < len(DEFAULT.splitlines())


def test_cases_of_one_cause_show_the_numbers_of_the_first() -> None:
    first = replace(case(SLOTS_LOST), boundary=5)
    other = replace(first.diagnoses[0], sentence="1 of 9 optimizer slots has its initial value.")
    report = Report((first, replace(first, boundary=7, diagnoses=(other,))), {})
    text = shown(report)
    assert "Train × keras @ 5, keras @ 7: diverged, expected recovered ✗\n" in text
    assert "  The numbers are those of keras @ 5.\n" in text
    assert "1 of 9 optimizer slots" not in text
    assert "1 of 9 optimizer slots" in shown(report, verbose=True)


def test_jobs_that_are_saved_at_different_steps() -> None:
    later = changed(CONTROL, schedule=Schedule(8, 6, 3))
    report = Report((case(), replace(case(), job="other", control=later)), {})
    lines = shown(report).splitlines()
    assert "Train: saved after step 5 of 8." in lines
    assert "other: saved after step 6 of 8." in lines
    assert "The state is compared there, losses from there on." in lines


def test_options_that_accept_a_case_stay_in_one_line() -> None:
    worse = changed(STATISTICS_LOST, boundary={"w/average": CONTROL.initial["w/average"].value})
    report = Report((case(worse, restore="weights"),), {})
    (line,) = [line for line in shown(report).splitlines() if "--allow" in line]
    assert line == (
        "  To accept: --allow moving-statistics-lost --allow shadows-lost --allow slots-lost "
        "--allow step-lost"
    )


@pytest.mark.parametrize(
    ("cause", "sentence", "named"),
    [
        ("moving-statistics-lost", "1 of 2 moving means and variances is zero: mean.", False),
        ("hyperparameters-differ", "1 hyperparameter differs: mean is 2.", True),
        ("hyperparameters-differ", "1 hyperparameter differs: mean/x is 2.", False),
        ("hyperparameters-differ", "1 hyperparameter differs: meanwhile is 2.", False),
    ],
)
def test_tensors_are_listed_unless_an_example_names_them(
    cause: str, sentence: str, named: bool
) -> None:
    one = Diagnosis(cause, None, sentence, "Fix it.", ("mean",))
    failed = replace(case(SLOTS_LOST), diagnoses=(one,))
    assert ("  mean" in shown(Report((failed,), {})).splitlines()) is not named


ESCAPE = "\x1b[31mred\x9b0m\udcff\x7f"


def test_control_characters_are_escaped_and_markup_is_text() -> None:
    run = changed(
        RESUMED,
        failure=Failure("restore", f"Error{ESCAPE}", f"[bold]größer 重み[/bold] {ESCAPE}\nline 2"),
    )
    asked = case(run, job=f"{ESCAPE}/jobs.py:Job", restore=f"all {ESCAPE}")
    for verbose in (False, True):
        text = shown(Report((asked,), {}), width=200, verbose=verbose, where=f"at {ESCAPE}")
        assert text.replace("\n", "").isprintable()
        assert "[bold]größer 重み[/bold] \\x1b[31mred\\x9b0m\\udcff\\x7f" in text
        assert "all \\x1b[31mred" in text
    assert line_of(Report((asked,), {})).replace("\n", "").isprintable()


def test_colours_of_a_terminal_stay() -> None:
    file = io.StringIO()
    console = SafeConsole(file=file, width=80, force_terminal=True, color_system="standard")
    show_line(Report((case(restore="\x1b[31m"), case(SLOTS_LOST, restore="\x1b[31m")), {}), console)
    assert file.getvalue().startswith("\x1b[1;31mFAIL")
    assert "\x1b[31m" not in file.getvalue()


def table_of(report: Report, width: int) -> list[str]:
    return shown(report, width=width).partition("\n\n")[0].splitlines()


def test_a_narrow_console_breaks_the_heads_and_keeps_the_evaluation_of_the_control() -> None:
    assert (
        "\n".join(table_of(default_report(), width=60))
        == """\
                                                 training
                              tensors evaluation   losses
job       restore   outcome     equal       loss    equal
bn-nn     saver     recovered     7/7  0.2 = 0.2      3/3
bn-nn     ema       refused         –          –        –
bn-layers saver     recovered     7/7  0.2 = 0.2      3/3
bn-layers trainable diverged      3/7  0.5 ≠ 0.2      1/3
bn-polyak saver     recovered     7/7  0.2 = 0.2      3/3
bn-polyak ema       diverged      5/7  0.5 ≠ 0.2      0/3"""
    )


@pytest.mark.parametrize("width", [42, 50, 63, 64])
def test_a_narrow_console_folds_columns_and_drops_none(width: int) -> None:
    table = table_of(default_report(), width)
    assert max(map(len, table)) <= width
    letters = "".join("".join(table).split())
    for text in ("restor", "outcom", "bn-nn", "saver", "recov", "7/7"):
        assert text in letters
    # The names have a minimum width: no column is one letter wide.
    assert any(line.startswith("bn-nn ") and "saver " in line for line in table)


def test_a_long_name_is_broken_where_a_word_of_it_ends() -> None:
    report = Report((case(job="train.py:AVeryLongNameOfATrainingJobOfSomebody"),), {})
    assert (
        "\n".join(table_of(report, width=60))
        == """\
                                                    training
                                 tensors evaluation   losses
job            restore outcome     equal       loss    equal
AVeryLongName  keras   recovered     7/7  0.2 = 0.2      3/3
OfATrainingJob
OfSomebody"""
    )


JOBS = ("ThirdJob", "ThirdJobABCD", "AVeryLongNameOfATrainingJob")
RESTORES = ("keras", "checkpoint-of-mine")


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("restore", RESTORES)
@pytest.mark.parametrize("width", [42, 50, 60, 80])
def test_no_value_of_the_table_is_cut(job: str, restore: str, width: int) -> None:
    """A job of twelve letters that diverges once took the room of the control's loss."""
    far, near = (changed(SLOTS_LOST, evaluations={5: loss}) for loss in (0.9117, 0.20001))
    for run, evaluation in ((far, "0.9117 ≠ 0.2"), (near, "0.2 ≠ 0.2, by 1e-05")):
        table = table_of(Report((case(run, job=job, restore=restore),), {}), width)
        assert max(map(len, table)) <= width
        words = " ".join(table).split()
        for word in ("6/7", "1/3", *evaluation.split()):
            assert word in words
        assert any("diverged ✗" in line for line in table) or width < 60
        assert any(evaluation in line for line in table) or width < 80


def test_verbose_names_what_differs_and_is_in_no_diagnosis() -> None:
    failed = case(STATISTICS_LOST)
    without = replace(failed, diagnoses=failed.diagnoses[1:])
    assert "  In no diagnosis: mean, w/variance\n" in shown(Report((without,), {}), verbose=True)
    assert "In no diagnosis" not in shown(Report((failed,), {}), verbose=True)
    assert "In no diagnosis" not in shown(Report((without,), {}))


def test_a_reason_that_the_answer_lacks_is_in_the_story() -> None:
    """Of many jobs the answer gives no reasons; of a few it does, and they stand there alone."""
    few = [replace(UNFINISHED, job=f"job{number}") for number in range(2)]
    many = [replace(UNFINISHED, job=f"job{number}") for number in range(5)]
    for cases in (few, many):
        text = " ".join(shown(Report(tuple(cases), {})).split())
        assert text.count("it was killed by SIGKILL") == len(cases)


def test_a_reused_control_is_said_and_with_verbose_why_another_was_not() -> None:
    report = default_report()
    notes = {
        "control of Train": "reused from the cache, recorded 3 minutes ago",
        "control of Other": "trained: train.py changed",
    }
    report = replace(report, environment={**report.environment, **notes})
    reused = "The control of Train was reused from the cache, recorded 3 minutes ago.\n"
    trained = "The control of Other was trained: train.py changed.\n"
    assert reused in shown(report)
    assert trained not in shown(report)
    assert reused + trained in shown(report, verbose=True)


def test_numbers_of_python_objects_are_named_below_the_table() -> None:
    own = control({"callbacks/EarlyStopping/best": Kind.PYTHON})
    judged = judge_pair(Question("t.py:A", "keras", "recovered"), Pair(own, resumed(own)))
    line = "1 of the tensors is a number of a Python object: callbacks/EarlyStopping/best.\n"
    assert f"losses from there on.\n{line}" in shown(Report((judged,), {}))
    both = shown(Report((judged, replace(judged, job="t.py:B"), case()), {}), width=100)
    assert f"\nA: {line}B: {line}" in both
