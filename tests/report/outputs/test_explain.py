"""The catalogue: complete, well-formed, and printed."""

import json
import re

import pytest

from ckptcheck.diagnosis.catalogue import CAUSES, remedies_for, remedy
from ckptcheck.diagnosis.cause import Cause, Stage
from tests.command_line import Done, call
from tests.conftest import ROOT

# The codes of the project's collection of real reports, and what they are called here.
CODES = {
    "BN-OMIT": "moving-statistics-lost",
    "BN-DEAD": "statistics-never-move",
    "BN-REPLICA": "replicas-lost",
    "STAT-FLAG": "statistics-restarted",
    "EMA-KEY": "shadows-not-in-checkpoint",
    "EMA-RESET": "shadows-lost",
    "EMA-AS-RAW": "shadows-in-weights",
    "SAVE-MUTATES": "saving-changes-the-run",
    "W-REINIT": "initialised-again",
    "W-PARTIAL": "weights-lost",
    "W-UNTRACKED": "weights-lost",
    "W-SWAP": "weights-swapped",
    "W-TOUCHED": "weights-scaled",
    "OPT-OMIT": "slots-lost",
    "OPT-LAZY": "slots-lost",
    "OPT-PERM": "slots-swapped",
    "STEP-RESET": "step-lost",
    "STEP-OFF": "wrong-first-step",
    "LR-SCHED": "learning-rate-differs",
    "HYPER": "hyperparameters-differ",
    "RNG-RESET": "generators-restarted",
    "RNG-NEW": "generators-reseeded",
    "DATA-RESTART": "data-restarted",
    "DATA-OFFSET": "data-shifted",
    "DATA-ORDER": "data-order",
    "DATA-BUFFER": "examples-lost",
    "ACC-LOST": "accumulators-lost",
    "SCALE-RESET": "loss-scale-lost",
    "DTYPE-LOSS": "precision-lost",
    "MODE": "mode-differs",
    "MAP-HASH": "depends-on-hash-order",
    "PY-STATE": "python-state-lost",
    "CKPT-TORN": "checkpoint-damaged",
    "CKPT-STALE": "older-checkpoint",
    "CKPT-SCRATCH": "nothing-restored",
    "CKPT-NAN": "not-finite",
    "DIST-PART": "replicas-lost",
    "NOISE": "noise",
    "UNKNOWN": "unexplained",
}


def explained(*arguments: str) -> Done:
    return call("explain", *arguments, cwd=ROOT)


def test_every_code_has_a_cause() -> None:
    assert set(CODES.values()) <= set(CAUSES)


@pytest.mark.parametrize("cause", CAUSES.values(), ids=lambda each: each.name)
def test_entries_are_whole(cause: Cause) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", cause.name)
    for text in (
        cause.summary,
        cause.sentence,
        cause.signature,
        *(each.text for each in remedies_for(cause)),
    ):
        assert text.strip() == text
        assert text.endswith((".", "}"))
        assert "  " not in text
    assert re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+/(issues|pull)/\d+", cause.reported)
    for framework in ("tf1", "tf2", "keras", "torch", ""):
        for stage in (*Stage, None):
            if stage is not Stage.NEVER_LIVE:
                assert remedy(cause, stage, framework)


def test_a_remedy_is_of_its_framework() -> None:
    for cause in CAUSES.values():
        for framework in ("tf2", "keras", "torch", ""):
            if cause.name not in (
                "shadows-not-in-checkpoint",
                "keys-not-in-checkpoint",
                "shadows-in-weights",
            ):
                assert "tf.train.Saver" not in remedy(cause, None, framework), cause.name


def test_what_is_overwritten_is_told_so_everywhere() -> None:
    cause = CAUSES["moving-statistics-lost"]
    for framework in ("tf2", "keras", ""):
        text = remedy(cause, Stage.OVERWRITTEN_AFTER_LOAD, framework)
        assert text.startswith("Assign nothing to the lost tensors after the restore. ")


def test_one_cause() -> None:
    done = explained("older-checkpoint")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "older-checkpoint\n"
        "  An older checkpoint was restored instead of the newest one.\n"
        "\n"
        "  Severity: breaks training.\n"
        "  How it shows: Tensors equal the control's values at an earlier save.\n"
        "\n"
        "  What to do, in a TensorFlow 1 graph or a loop with tf.train.Checkpoint\n"
        "    Restore the path that the state file names:\n"
        "    tf.train.latest_checkpoint(folder). Take the step from the restored state,\n"
        "    not from a file name.\n"
        "    with files of your own: Load your newest file. Sort file names by number,\n"
        "    not by text: max(folder.glob('*.npz'), key=lambda path: int(path.stem)).\n"
        "  What to do, in Keras' fit\n"
        "    Load the file of the newest epoch. Sort file names by number, not by text:\n"
        "    max(folder.glob('*.keras'), key=lambda path: int(path.stem)).\n"
        "    with the restore backup: Keep epochs short: model.fit(…,\n"
        "    steps_per_epoch=100). BackupAndRestore saves at the end of each epoch, so up\n"
        "    to one epoch is repeated. With save_freq=N it saves every N batches, but fit\n"
        "    then starts that epoch again.\n"
        "    with the restore checkpoint: Restore the path that the state file names:\n"
        "    tf.train.latest_checkpoint(folder). Take the step from the restored state,\n"
        "    not from a file name.\n"
        "  What to do, in a PyTorch loop\n"
        "    Load your newest file. Sort file names by number, not by text:\n"
        "    max(folder.glob('*.pt'), key=lambda path: int(path.stem)). Take the step\n"
        '    from the restored state, checkpoint["step"], not from a file name.\n'
        "  What to do, in any other framework\n"
        "    Restore the newest checkpoint. Sort file names by number, not by text:\n"
        "    max(folder.glob('*.npz'), key=lambda path: int(path.stem)). Take the step\n"
        "    from the restored state, not from a file name.\n"
        "\n"
        "  To accept it: --allow older-checkpoint\n"
        "  A report of it: https://github.com/google/flax/pull/1200\n"
    )


def test_all_causes() -> None:
    done = explained()
    assert done.returncode == 0
    assert [
        line.split()[0] for line in done.stdout.splitlines() if line and not line.startswith(" ")
    ][: len(CAUSES)] == list(CAUSES)
    assert done.stdout.endswith(
        "\nckptcheck explain CAUSE says how a cause shows and how to fix it.\n"
    )
    assert all(line == line.rstrip() and len(line) <= 80 for line in done.stdout.splitlines())


def test_json() -> None:
    (found,) = json.loads(explained("noise", "--json").stdout)
    assert found["name"] == "noise"
    assert found["can_be_allowed"] is False
    assert [each["name"] for each in json.loads(explained("--json").stdout)] == list(CAUSES)


def test_a_typo() -> None:
    done = explained("moving-statistic")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "ckptcheck: There is no cause called 'moving-statistic'. Did you mean "
        "moving-statistics-lost? "
    )


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (
            "noise",
            "Nothing to accept: nothing can be concluded about a job that is not reproducible.",
        ),
        (
            "unexplained",
            "Cannot be accepted: the rest of the run would no longer be comparable.",
        ),
    ],
)
def test_what_cannot_be_accepted(cause: str, said: str) -> None:
    shown = " ".join(explained(cause).stdout.split())
    assert f" {said} " in shown
