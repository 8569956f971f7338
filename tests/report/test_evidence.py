"""The evidence on one job, as it is judged."""

from pathlib import Path

import pytest

from ckptcheck.job.protocol import Step
from ckptcheck.report.evidence import Evidence, Missing, Pair, gather, of_failure, sentence
from ckptcheck.report.validity import NO_CHECKPOINT
from ckptcheck.run.folder import Recorder, control_of, crash_image_of, resumed_of, unsaved_of
from ckptcheck.run.run import Failure, Run
from ckptcheck.run.task import REMEMBERED, SAME_HASH
from tests.builder import BOUNDARY, changed, control, cut, resumed

CONTROL = control()
RESUMED = resumed(CONTROL)


def record(folder: Path, run: Run) -> None:
    """Write a run as its process does."""
    folder.mkdir(parents=True)
    recorder = Recorder(folder, run.facts)
    for step in run.steps:
        recorder.step(
            step.number,
            Step(step.loss, learning_rate=step.rate, hyperparameters=step.hyperparameters),
        )
    for point, state in run.snapshots.items():
        recorder.snapshot(point, state)
    recorder.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a job with a control, a checkpoint and a resumed run."""
    job = tmp_path / "job"
    record(control_of(job), CONTROL)
    record(resumed_of(job, "all", BOUNDARY), RESUMED)
    image = crash_image_of(job, BOUNDARY) / "inside"
    image.mkdir(parents=True)
    (image / "model.ckpt").write_bytes(b"model")
    return job


def pair(evidence: Evidence, restore: str = "all", boundary: int | None = None) -> Pair:
    found = gather(evidence, restore, boundary)
    assert isinstance(found, Pair)
    return found


def missing(evidence: Evidence, restore: str = "all", boundary: int | None = None) -> Missing:
    found = gather(evidence, restore, boundary)
    assert isinstance(found, Missing)
    return found


# --- A pair -------------------------------------------------------------------------------------


def test_a_pair(folder: Path) -> None:
    found = pair(Evidence(folder, {}))
    assert found.control.facts == CONTROL.facts
    assert found.resumed.facts == RESUMED.facts
    assert found.resumed.losses == RESUMED.losses
    assert list(found.resumed.boundary) == list(RESUMED.boundary)
    assert (found.experiments, found.noise, found.noise_trouble, found.changed_by_saving) == (
        {},
        None,
        None,
        None,
    )
    assert not found.noise_asked
    assert pair(Evidence(folder, {}, noise_asked=True)).noise_asked


def test_a_boundary_among_several(folder: Path) -> None:
    record(resumed_of(folder, "all", 3), changed(RESUMED, first_step=3))
    (crash_image_of(folder, 3)).mkdir()
    (crash_image_of(folder, 3) / "model.ckpt").write_bytes(b"model")
    found = pair(Evidence(folder, {}), boundary=3)
    assert (found.control.facts.schedule.boundary, found.resumed.facts.first_step) == (3, 3)


def test_a_resumed_run_that_raised_can_be_judged(tmp_path: Path, folder: Path) -> None:
    refused = changed(
        cut(RESUMED, 0), failure=Failure("restore", "ValueError", "…"), finished=False
    )
    record(resumed_of(folder, "ema", BOUNDARY), refused)
    assert pair(Evidence(folder, {}), "ema").resumed.facts.failure == refused.facts.failure


def test_shared_runs_are_read_once(folder: Path) -> None:
    evidence = Evidence(folder, {})
    assert evidence.control()[0] is evidence.control()[0]
    assert evidence == Evidence(folder, {})


def test_experiments(folder: Path) -> None:
    record(resumed_of(folder, "all", BOUNDARY, trial=SAME_HASH), RESUMED)
    failed = changed(RESUMED, failure=Failure("train", "ValueError", "…"), finished=False)
    record(resumed_of(folder, "all", BOUNDARY, trial=REMEMBERED), failed)
    assert list(pair(Evidence(folder, {})).experiments) == [SAME_HASH]
    lost = resumed_of(folder, "all", BOUNDARY, trial=SAME_HASH).name
    assert pair(Evidence(folder, {lost: "it was killed by SIGKILL"})).experiments == {}


# --- What is missing ----------------------------------------------------------------------------


def test_no_control(tmp_path: Path) -> None:
    assert missing(Evidence(tmp_path, {})) == Missing(
        "The control did not finish: its process recorded nothing."
    )


def test_trouble_with_the_control(folder: Path) -> None:
    found = missing(Evidence(folder, {"control": "it was killed by SIGKILL."}))
    assert found == Missing("The control did not finish: it was killed by SIGKILL.")


def test_a_control_that_raised(tmp_path: Path) -> None:
    failed = changed(
        cut(CONTROL, 2),
        failure=Failure("train", "ValueError", "no data.\nmore", 2, "job.py:7"),
        finished=False,
    )
    record(control_of(tmp_path), failed)
    assert missing(Evidence(tmp_path, {})) == Missing(
        "The control did not finish: train, step 2, raised ValueError: no data (job.py:7)."
    )


def test_a_control_that_stopped(tmp_path: Path) -> None:
    record(control_of(tmp_path), changed(cut(CONTROL, 2), finished=False))
    found = missing(Evidence(tmp_path, {}))
    assert found.reason == "The control did not finish: its process stopped before the last step."


def test_no_checkpoint(folder: Path) -> None:
    image = crash_image_of(folder, BOUNDARY)
    (image / "inside" / "model.ckpt").unlink()
    found = missing(Evidence(folder, {}))
    assert found.reason == NO_CHECKPOINT
    assert found.control is not None  # folders alone are no checkpoint
    assert missing(Evidence(folder, {}), boundary=3).reason == NO_CHECKPOINT


def test_no_checkpoint_of_a_restore_whose_save_may_delete_it(tmp_path: Path) -> None:
    record(control_of(tmp_path / "job"), changed(CONTROL, framework="keras"))
    assert missing(Evidence(tmp_path / "job", {}), "backup").reason == (
        "The checkpoint is missing: the control's save wrote no file into the folder it was given. "
        "BackupAndRestore deletes its backup at the end of each call of fit: call fit once for all "
        "epochs."
    )
    assert missing(Evidence(tmp_path / "job", {}), "checkpoint").reason == NO_CHECKPOINT


def test_no_resumed_run(folder: Path) -> None:
    found = missing(Evidence(folder, {}), "ema")
    assert found.reason == "The resumed run did not finish: its process recorded nothing."
    assert found.control is not None
    assert found.control.facts == CONTROL.facts


def test_trouble_with_the_resumed_run(folder: Path) -> None:
    name = resumed_of(folder, "all", BOUNDARY).name
    found = missing(Evidence(folder, {name: "no sign of life for 60 s"}))
    assert found.reason == "The resumed run did not finish: no sign of life for 60 s."


def test_a_resumed_run_that_stopped(folder: Path) -> None:
    record(resumed_of(folder, "ema", BOUNDARY), changed(RESUMED, finished=False))
    found = missing(Evidence(folder, {}), "ema")
    assert (
        found.reason == "The resumed run did not finish: its process stopped before the last step."
    )


# --- Repetitions, and a control that never saves ------------------------------------------------


def test_repetitions(folder: Path) -> None:
    record(control_of(folder, 1), changed(CONTROL, repeat=1))
    record(control_of(folder, 2), changed(CONTROL, repeat=2, losses={6: 0.5}))
    noise = pair(Evidence(folder, {}, repeats=2)).noise
    assert noise is not None
    assert (noise.repeats, noise.first_difference) == (
        2,
        f"the training loss of step 6 is 0.5 instead of {2 / 7!r}",
    )
    # As many as the user asked for.
    one = pair(Evidence(folder, {}, repeats=1)).noise
    assert one is not None
    assert (one.repeats, one.first_difference) == (1, None)


def test_a_repetition_that_failed(folder: Path) -> None:
    found = pair(Evidence(folder, {}, repeats=1))
    assert (found.noise, found.noise_trouble) == (
        None,
        "The second control did not finish: its process recorded nothing.",
    )
    killed = pair(Evidence(folder, {"repeat-1": "it was killed by SIGKILL"}, repeats=1))
    assert killed.noise_trouble == "The second control did not finish: it was killed by SIGKILL."


def test_a_repetition_in_a_different_environment(folder: Path) -> None:
    record(control_of(folder, 1), changed(CONTROL, environment={"python": "3.13.0"}))
    found = pair(Evidence(folder, {}, repeats=1))
    assert (found.noise, found.noise_trouble) == (
        None,
        ("The second control ran in a different environment: python is 3.13.0 (control: 3.12.1)."),
    )


def test_a_control_that_never_saves(folder: Path) -> None:
    record(unsaved_of(folder), cut(changed(CONTROL, saved=[], losses={4: 0.5}), BOUNDARY))
    assert (
        pair(Evidence(folder, {})).changed_by_saving
        == "the training loss of step 4 is 0.5 instead of 0.4"
    )
    assert pair(Evidence(folder, {"unsaved": "it was killed by SIGKILL"})).changed_by_saving is None


def test_an_equal_control_that_never_saves(folder: Path) -> None:
    record(unsaved_of(folder), cut(changed(CONTROL, saved=[]), BOUNDARY))
    assert pair(Evidence(folder, {})).changed_by_saving is None


# --- Texts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (
            Failure("train", "ValueError", "no data.\nmore", 3, "job.py:7"),
            "train, step 3, raised ValueError: no data (job.py:7)",
        ),
        (Failure("build", "KeyError", "'a'"), "build raised KeyError: 'a'"),
        (Failure("train", "ValueError", "", 0), "train, step 0, raised ValueError: (no text)"),
    ],
)
def test_of_failure(failure: Failure, text: str) -> None:
    assert of_failure(failure) == text


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("it was killed", "it was killed."),
        ("it was killed.", "it was killed."),
        (None, "the reason is unknown."),
    ],
)
def test_sentence(text: str | None, whole: str) -> None:
    assert sentence(text) == whole
