"""A trainer of which no step is seen: right as it is, and with one fault planted."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ckptcheck import verify
from ckptcheck.report.case import Case
from ckptcheck.report.warnings import of_cases

Asked = tuple[str, str | None]

TRAINER = Path(__file__).with_name("trainer.py")
PRINTED, VALUES = r"step (\d+) loss (\S+)", r"loss (\S+)"
UNSEEN = "No Python process of the command imported TensorFlow or PyTorch, so nothing was seen of its training."
UNKNOWN = (
    "Both runs left equal checkpoints, but nothing that they left shows whether the restarted run continued or began anew. "
    r"Print the step and the loss of each step, and pass --metric 'step (\d+) loss (\S+)'."
)


# Words of the trainer, and the pattern of --metric.
RIGHT: list[Asked] = [
    ("", None),
    ("--first 1", None),
    ("--log-every 3", None),
    ("--mode w", None),
    ("--format h5", None),
    ("--without global_step", None),
    ("--log jsonl", None),
    ("--log events", None),
    ("--log print", PRINTED),
    ("--log print", VALUES),
]
ANEW: list[Asked] = [
    (f"{words} --fault anew", metric)
    for words, metric in (
        *((words, metric) for words, metric in RIGHT if words not in ("--mode w", "--format h5")),
        ("--log print --without global_step", PRINTED),
    )
]
UNSHOWN: list[Asked] = [
    ("--mode w --fault anew", None),
    ("--log none", None),
    ("--log none --fault anew", None),
    # Nothing of the log is written before the save.
    ("--mode buffered --without global_step --fault anew", None),
]
LOST: list[Asked] = [("--fault momentum", None), ("--log none --fault momentum", None)]
IDLE: Asked = ("--fault idle", None)
NOISE: Asked = ("--fault noise", None)
NOT_COMPARED: dict[Asked, str] = {
    ("--format pt", None): UNSEEN,
    ("--saves 1", None): (
        f"{UNSEEN} No save was seen before its end either: ckptcheck looks every 0.1 s, and a save must stay as it is for two looks."
    ),
    ("", r"accuracy (\S+)"): (
        rf"{UNSEEN} The pattern of --metric matches nothing in the output: accuracy (\S+)"
    ),
}
ALL = [*RIGHT, *ANEW, *UNSHOWN, *LOST, IDLE, NOISE, *NOT_COMPARED]


def command_of(words: str) -> list[str]:
    return [sys.executable, str(TRAINER), "--out", "{run}", *words.split()]


def verified(asked: Asked) -> Case:
    words, metric = asked
    (case,) = verify(command=command_of(words), metric=metric).cases
    return case


@pytest.fixture(scope="module")
def case_of() -> Iterator[Callable[[Asked], Case]]:
    """Return the case of a trainer. All are verified at once: they mostly wait."""
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(16) as threads:
        patch.setenv("TESTS_OF", str(Path(__file__).parents[2]))
        cases = {asked: threads.submit(verified, asked) for asked in ALL}
        yield lambda asked: cases[asked].result()


CaseOf = Callable[[Asked], Case]


@pytest.mark.parametrize("asked", RIGHT)
def test_a_right_trainer_recovers(asked: Asked, case_of: CaseOf) -> None:
    case = case_of(asked)
    assert (case.outcome, case.reason, case.diagnoses) == ("recovered", None, ())


@pytest.mark.parametrize("asked", ANEW)
def test_a_run_that_begins_anew_does_not(asked: Asked, case_of: CaseOf) -> None:
    case = case_of(asked)
    assert (case.outcome, case.reason) == ("diverged", None)
    assert [each.cause for each in case.diagnoses] == ["wrong-first-step"]
    # It ends in the same state.
    assert case.comparison is not None
    assert all(row.equal for row in case.comparison.final)


@pytest.mark.parametrize("asked", UNSHOWN)
def test_nothing_shows_where_a_run_begins(asked: Asked, case_of: CaseOf) -> None:
    case = case_of(asked)
    assert (case.outcome, case.reason) == ("inconclusive", UNKNOWN)


@pytest.mark.parametrize("asked", LOST)
def test_a_lost_tensor_shows_in_the_final_checkpoint(asked: Asked, case_of: CaseOf) -> None:
    case = case_of(asked)
    assert (case.outcome, case.reason) == ("diverged", None)
    (found,) = case.diagnoses
    assert (found.cause, found.tensors) == ("unexplained", ("w", "m"))
    assert found.remedy.startswith("Save everything that training needs, and restore all of it:")


def test_a_log_that_only_the_first_run_wrote_proves_nothing(case_of: CaseOf) -> None:
    case = case_of(IDLE)
    assert (case.outcome, case.reason) == (
        "inconclusive",
        "Started again, the command made no training step. If it needs arguments to resume, add them with --resume.",
    )


def test_noise_is_told_from_a_loss(case_of: CaseOf) -> None:
    case = case_of(NOISE)
    assert (case.outcome, case.reason) == (
        "inconclusive",
        "The command is not reproducible, so a difference after the save may be noise. Measure the noise with --repeat N.",
    )


@pytest.mark.parametrize("asked", NOT_COMPARED)
def test_why_what_it_left_cannot_be_compared(asked: Asked, case_of: CaseOf) -> None:
    case = case_of(asked)
    assert (case.outcome, case.reason) == ("inconclusive", NOT_COMPARED[asked])


def test_what_the_verdict_rests_on(case_of: CaseOf) -> None:
    assert of_cases([case_of(RIGHT[0])]) == [
        "trainer.py × restart: nothing was seen inside the command, so its files are compared: loss in log.csv by step, and the tensors of ckpt-*.npz at the end. A loss that shows in none of these is not found."
    ]


def test_several_saves() -> None:
    cases = verify(command=command_of("--saves 4"), save="2 of 3").cases
    found = [(case.boundary, case.outcome) for case in cases]
    assert found == [(8, "recovered"), (12, "recovered")]


def test_there_is_no_such_save() -> None:
    (case,) = verify(command=command_of(""), save=7).cases
    assert case.reason == (
        f"{UNSEEN} The command went on after 2 saves: there is no save of the number that was asked for."
    )


def test_a_command_that_is_no_python(tmp_path: Path) -> None:
    """`-I` hides the observer: only what the command leaves can be seen."""
    script = tmp_path / "train.sh"
    program = f"import sys; sys.path += {sys.path}; exec(open({str(TRAINER)!r}).read())"
    (tmp_path / "program.py").write_text(program)
    script.write_text(f'"{sys.executable}" -I {tmp_path}/program.py --out "$1"\n')
    (case,) = verify(command=["sh", str(script), "{run}"]).cases
    assert (case.job, case.outcome) == ("train.sh", "recovered")
