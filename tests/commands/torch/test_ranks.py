"""Commands that train in several processes: every rank is judged, and the one at fault is named."""

import sys
from pathlib import Path
from typing import Any

import pytest

from ckptcheck import Report, verify

pytestmark = [pytest.mark.torch, pytest.mark.timeout(900)]  # several processes, on two cores

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2")
DDP = (*TORCHRUN, "ddp.py", "--out", "{run}")
SPAWNED = (sys.executable, "spawned.py", "--out", "{run}")


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).with_name("scripts"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def verified(*words: str, **asked: Any) -> Report:
    return verify(command=words, repeat=0, **asked)


def found(report: Report) -> dict[int | None, tuple[str, set[str]]]:
    return {
        case.rank: (case.outcome, {each.cause for each in case.diagnoses}) for case in report.cases
    }


@pytest.mark.parametrize("words", [DDP, (*DDP, "--broadcast-buffers"), SPAWNED])
def test_a_right_command_recovers_on_every_rank(words: tuple[str, ...]) -> None:
    report = verified(*words)
    assert found(report) == {0: ("recovered", set()), 1: ("recovered", set())}
    script = words[words.index("--out") - 1]
    assert str(report) == (
        f"{script} recovers with `restart` on every rank: it continues bit for bit as if never interrupted.\n"
        "PASS: 2 of 2 cases recovered."
    )


def test_a_rank_that_lost_its_generator_and_statistics_is_named() -> None:
    report = verified(*DDP, "--one-generator")
    outcomes = found(report)
    assert outcomes[0] == ("diverged", set())
    assert outcomes[1][0] == "diverged"
    assert "generators-reseeded" in outcomes[1][1]
    first, second = report.cases
    assert first.reason == (
        "Rank 0 differs only after its first loss: the ranks share their gradients, and rank 1 "
        "lost state. Fix rank 1 first."
    )
    lost = {name for each in second.diagnoses for name in each.tensors}
    assert lost == {"random/torch", "model/1.running_mean", "model/1.running_var"}
    assert "reseeds the random generators on rank 1" in str(report)


def test_a_sampler_without_its_epoch_is_found_on_every_rank() -> None:
    outcomes = found(verified(*DDP, "--no-set-epoch"))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] == "diverged"
    # The order of each epoch is that of the first one.
    assert outcomes[0][1] & {"data-order", "data-restarted"}


def test_a_rank_that_lost_its_position_in_the_data_is_named() -> None:
    report = verified(*SPAWNED, "--no-data")
    outcomes = found(report)
    assert outcomes[0] == ("diverged", set())
    # The batches follow, which are drawn from the generator.
    assert outcomes[1] == ("diverged", {"generators-restarted"})
    assert "on rank 1" in str(report)


def test_all_ranks_end_after_the_steps_that_are_asked_for() -> None:
    report = verified(*DDP, max_steps=12)
    assert found(report) == {0: ("recovered", set()), 1: ("recovered", set())}
    assert [len(case.control.steps) for case in report.cases if case.control] == [12, 12]


def test_a_run_with_fewer_ranks_cannot_be_compared() -> None:
    report = verified(*SPAWNED, resume="--ranks 1")
    assert {case.reason for case in report.cases} == {
        "The control trained with 2 ranks, and the command started again with 1. Start both with "
        "the same number."
    }
    assert report.verdict == "inconclusive"
