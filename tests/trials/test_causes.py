"""Every cause by its name, at its stage, and no other."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from ckptcheck import Case, verify
from ckptcheck.report.sentences import numbers

from .causes import FAULTS

pytestmark = [pytest.mark.trials, pytest.mark.timeout(1200)]

HERE = Path(__file__).parent / "causes.py"


@pytest.fixture(scope="module")
def cases() -> Mapping[tuple[str, str], Case]:
    """Every job, verified at once."""
    report = verify([f"{HERE}:{job}" for job, _ in FAULTS])
    return {(case.job.rpartition(":")[2], case.restore): case for case in report.cases}


@pytest.mark.parametrize(("job", "restore"), FAULTS)
def test_causes_and_stages(job: str, restore: str, cases: Mapping[tuple[str, str], Case]) -> None:
    found = [(each.cause, each.stage) for each in cases[job, restore].diagnoses]
    assert sorted(map(str, found)) == sorted(map(str, FAULTS[job, restore]))


def test_totals_count_weights_alone(cases: Mapping[tuple[str, str], Case]) -> None:
    found = cases["LosesALayerToo", "checkpoint"].diagnoses
    (lost,) = (each for each in found if each.cause == "weights-lost")
    assert lost.sentence == "2 of 4 weights have their initial values."


@pytest.mark.parametrize(
    ("job", "read", "due"),
    [("BacksUpEveryFourBatches", 20, 23), ("BacksUpAtTheLastBatch", 24, 27)],
)
def test_the_newest_backup(
    job: str, read: int, due: int, cases: Mapping[tuple[str, str], Case]
) -> None:
    found = cases[job, "backup"].diagnoses
    (older,) = (each for each in found if each.cause == "older-checkpoint")
    assert older.detail == (
        f"The checkpoint that was read is of step {read}. A checkpoint of step {due} was due."
    )
    assert older.remedy == (
        "Keep epochs short: model.fit(…, steps_per_epoch=100). BackupAndRestore saves at the end "
        "of each epoch, so up to one epoch is repeated. With save_freq=N it saves every N batches, "
        "but fit then starts that epoch again."
    )


@pytest.mark.parametrize("job", ["ForgetsTheEpoch", "ForgetsTheEpochOfItsRate"])
def test_a_forgotten_epoch(job: str, cases: Mapping[tuple[str, str], Case]) -> None:
    assert cases[job, "keras"].diagnoses[0].remedy == (
        "fit was called without initial_epoch. Pass the number of epochs done: model.fit(…, "
        "initial_epoch=epochs). `ckptcheck explain wrong-first-step --framework keras` prints a fix."
    )


def test_slots_of_a_different_first_batch_are_not_counted(
    cases: Mapping[tuple[str, str], Case],
) -> None:
    replays = cases["Replays", "checkpoint"]
    assert numbers(replays)[0] == "12/12"
    assert replays.document()["tensors"]["compared"] == 12
    assert "replay buffer" in replays.diagnoses[0].remedy


@pytest.mark.parametrize("job", ["NeverMovesARunningMean", "SavesOnceTooOften"])
def test_faults_of_the_job_fail(job: str, cases: Mapping[tuple[str, str], Case]) -> None:
    case = cases[job, "checkpoint"]
    assert (case.outcome, case.as_expected) == ("recovered", False)
    accepted = verify(case.job, allow=case.acceptance)
    assert (accepted.exit_code, accepted.cases[0].told_outcome) == (0, "recovered, as allowed")
