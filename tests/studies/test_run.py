"""What a study plans, trains and keeps. Its runs are short, but real."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckptcheck import UsageError, study
from ckptcheck.run.worker_pool import Event
from ckptcheck.studies.catalogue import STUDIES, definition
from ckptcheck.studies.run import folder_of, plan
from tests.command_line import CKPTCHECK, call, run
from tests.processes import default_sigint


def test_every_variant_has_its_own_recipe() -> None:
    for asked in STUDIES.values():
        planned = plan(asked, asked.variants, 3, 7, {})
        assert len({folder_of(recipe) for _, _, recipe in planned}) == 3 * len(asked.variants)
        assert {recipe.epochs for _, _, recipe in planned} == {7}


def test_a_recipe_holds_every_option() -> None:
    (_, _, recipe), *_ = plan(
        definition("bn-apis"), definition("bn-apis").variants, 1, 2, {"batch_size": "64"}
    )
    assert recipe.options == {
        "dataset": "digits",
        "seed": "0",
        "batch_size": "64",
        "learning_rate": "0.001",
        "decay": "0.99",
        "epsilon": "1e-05",
        "num_updates": "on",
        "update": "separate",
        "start": "zero",
    }


def test_the_ablation_changes_one_thing_at_a_time() -> None:
    """Each variant differs from the one it is compared with in one option; only `like-layers` in all four."""
    asked = definition("bn-ablation")
    options = {
        variant.name: dict(recipe.options)
        for variant, _, recipe in plan(asked, asked.variants, 1, 1, {})
    }
    for variant in asked.variants:
        if variant.against and variant.job == "bn-nn":
            one, other = options[variant.name], options[variant.against]
            differing = {key for key in one if one[key] != other[key]}
            assert len(differing) == (4 if variant.name == "like-layers" else 1), variant.name


def test_runs_are_shared_between_studies() -> None:
    folders = {
        name: {
            folder_of(recipe)
            for _, _, recipe in plan(STUDIES[name], STUDIES[name].variants, 1, 100, {})
        }
        for name in STUDIES
    }
    assert len(folders["bn-apis"] & folders["bn-ablation"]) == 2
    assert len(folders["bn-apis"] & folders["convergence"]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"name": "convergance"},
            "There is no study called 'convergance'. Did you mean convergence? Known: bn-ablation, bn-apis, convergence.",
        ),
        (
            {"name": "convergence", "variants": "plane"},
            "There is no variant of convergence called 'plane'. Did you mean plain? Known: bn-nn, plain.",
        ),
        ({"name": "bn-apis", "seeds": 0}, "The number of seeds must be from 1 to 1000, not 0."),
        ({"name": "bn-apis", "epochs": 0}, "A run must have at least 1 epoch, not 0."),
        (
            {"name": "bn-apis", "accuracies": [95]},
            "A validation accuracy must be above 0 and at most 1, not 95.",
        ),
        ({"name": "bn-apis", "timeout": 0}, "The timeout must be above 0 seconds, not 0."),
        (
            {"name": "bn-apis", "timeout": float("nan")},
            "The timeout must be above 0 seconds, not nan.",
        ),
        (
            {"name": "bn-apis", "options": {"seed": 3}},
            "The option seed=3 cannot be set: a study uses the seeds 0, 1, … Set their number with --seeds.",
        ),
        (
            {"name": "bn-ablation", "options": {"decay": 0.9}},
            "The option decay=0.9 cannot be set: the variant decay-0.9 of the study bn-ablation changes it.",
        ),
        (
            {"name": "convergence", "options": {"epsilon": 0.1}},
            "There is no option of plain called 'epsilon'. Known: batch_size, dataset, learning_rate, seed.",
        ),
        (
            {"name": "bn-apis", "options": {"decay": 2}},
            "The option decay of bn-nn must be a number above 0 and below 1, not '2'.",
        ),
        (
            {"name": "bn-apis", "options": {"dataset": "none.npz"}},
            f"The dataset file {Path.cwd() / 'none.npz'} does not exist.",
        ),
        (
            {"name": "bn-apis", "executor": "localhost:8786"},
            "The executor 'localhost:8786' is not the address of a Dask scheduler. Write dask://HOST:PORT.",
        ),
    ],
)
def test_bad_requests_are_refused_before_anything_starts(
    arguments: dict[str, Any], message: str
) -> None:
    events: list[Event] = []
    with pytest.raises(UsageError) as raised:
        study(**arguments, watch=events.append)
    assert (str(raised.value), events) == (message, [])


# Four runs, two at a time.
STUDY = ["study", "bn-apis", "--seeds", "2", "--epochs", "3", "--out", "out", "--accuracy", "0.2"]
ALL = {f"{variant} seed {seed}" for variant in ("bn-nn", "bn-layers") for seed in (0, 1)}


@dataclass(frozen=True)
class Stopped:
    """A study interrupted by Ctrl-C: what it left, and which runs had finished."""

    folder: Path
    code: int
    errors: str
    processes: list[str]
    finished: set[str]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    """A study that was stopped when its first run was done."""
    folder = tmp_path_factory.mktemp("study")
    with subprocess.Popen(
        [*CKPTCHECK, *STUDY],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=default_sigint,
    ) as process:
        until = time.monotonic() + 60
        while not list(folder.glob("out/kept/*/run.json")) and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    left = [
        each
        for each in children()
        if str(folder).encode() in Path(f"/proc/{each}/cmdline").read_bytes()
    ]
    names = [path.parent.name for path in folder.glob("out/kept/*/run.json")]
    finished = {re.sub(r"-seed(\d+)-\w+$", r" seed \1", name) for name in names}
    return Stopped(folder, process.returncode, errors, left, finished)


def children() -> list[str]:
    return [
        each.name
        for each in Path("/proc").iterdir()
        if each.name.isdecimal() and os.access(each / "cmdline", os.R_OK)
    ]


@pytest.fixture(scope="module")
def continued(stopped: Stopped) -> list[str]:
    """The lines on standard error when the same command runs again."""
    done = run(*STUDY, cwd=stopped.folder)
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


@pytest.fixture(scope="module")
def kept(stopped: Stopped, continued: list[str]) -> Path:
    """The folder of a study whose runs are all kept."""
    one_seed = ["1" if each == "2" else each for each in STUDY]
    done = call(*one_seed, cwd=stopped.folder)
    assert (done.returncode, done.stderr) == (0, "ckptcheck: reusing 2 finished runs\n")
    (stopped.folder / "printed.txt").write_text(done.stdout)
    return stopped.folder


def test_a_stopped_study_continues(stopped: Stopped, continued: list[str]) -> None:
    """Finished runs are kept, the same command trains the rest, and no process is left."""
    assert stopped.code == 3
    assert stopped.errors.splitlines()[-1] == (
        "ckptcheck: Interrupted. Finished runs are kept: the same command trains the rest. No process is left running."
    )
    assert stopped.processes == []
    count = len(stopped.finished)
    assert 0 < count < 4
    runs = "1 finished run" if count == 1 else f"{count} finished runs"
    assert continued[0] == f"ckptcheck: reusing {runs}"
    assert continued[1] == "ckptcheck: starting the first processes …"
    done = re.findall(r"ckptcheck: (.*) done \((\d) of (\d)\)\n", "\n".join([*continued[2:], ""]))
    assert {name for name, _, _ in done} == ALL - stopped.finished
    assert [numbers for _, *numbers in done] == [
        [str(index), str(4 - count)] for index in range(1, 5 - count)
    ]
    assert len(continued) == 2 + len(done)


def test_what_is_printed(kept: Path) -> None:
    printed = (kept / "printed.txt").read_text()
    head, table, legend = (
        "Do tf.nn and tf.layers train alike, and does the loss of tf.layers have a hump?\n"
        "digits, 3 epochs, 1 seed; median (range); ∞ = never reached\n",
        "           epochs to        final  largest  runs with\nvariant         20 %  accuracy, %  rise, %     a hump\n",
        "bn-nn      tf.nn, as in the article: epsilon 1e-5, warm-up, start at 0, second",
    )
    for part in (
        head,
        table,
        legend,
        "Figure: out/bn-apis/curves.png   Numbers: out/bn-apis/summary.json\n",
    ):
        assert part in printed
    assert max(map(len, printed.splitlines())) <= 80


def test_what_is_left(kept: Path) -> None:
    names = {path.name for path in (kept / "out" / "bn-apis").iterdir()}
    assert names == {
        "bands.csv",
        "curves.png",
        "curves.svg",
        "epochs.csv",
        "humps.csv",
        "runs.csv",
        "summary.json",
    }
    assert (
        (kept / "out" / "bn-apis" / "epochs.csv")
        .read_text()
        .startswith(
            "variant,seed,epoch,train_loss,train_accuracy,validation_loss,validation_accuracy\nbn-nn,0,1,"
        )
    )
    assert (
        (kept / "out" / "bn-apis" / "runs.csv")
        .read_text()
        .startswith(
            "variant,seed,epochs_to_0.2,final_validation_accuracy,final_validation_loss,largest_rise,humps,"
            "rises_without_return,training,seconds\nbn-nn,0,"
        )
    )
    document = json.loads((kept / "out" / "bn-apis" / "summary.json").read_text())
    assert (document["study"], document["seeds"], document["epochs"]) == ("bn-apis", 1, 3)
    assert [variant["options"]["decay"] for variant in document["variants"]] == ["0.99", "0.99"]


def test_nothing_is_trained_twice(kept: Path) -> None:
    events: list[Event] = []
    one = study("bn-apis", seeds=1, epochs=3, folder=kept / "out" / "kept", watch=events.append)
    more = study("bn-apis", seeds=2, epochs=3, folder=kept / "out" / "kept", watch=events.append)
    assert {event.kind for event in events} == {"kept"}
    assert len(events) == 2 + 4
    assert more.of("bn-nn")[0].curves == one.of("bn-nn")[0].curves
    assert more.of("bn-nn")[0].curves != more.of("bn-nn")[1].curves


def test_what_is_said_of_kept_runs(kept: Path, tmp_path: Path) -> None:
    shutil.copytree(kept / "out", tmp_path / "out")
    done = call(
        "study", "bn-apis", "bn-nn", "--seeds", "1", "--epochs", "3", "--out", "out", cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "ckptcheck: reusing 1 finished run\n")


def test_a_verification_does_not_take_the_place_of_kept_runs(kept: Path, tmp_path: Path) -> None:
    """Also where a study was stopped before it had results: there is nothing but its runs."""
    shutil.copytree(kept / "out", tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "bn-apis")
    done = call("verify", "plain", "--out", "out", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        "ckptcheck: The output folder out holds other files (kept), so nothing was written. "
        "Choose a folder that is new, empty, or holds earlier results of the same command.\n",
    )


def test_a_run_that_does_not_finish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dataset that is deleted after planning: the error names it."""
    data = tmp_path / "data.npz"
    np.savez(data, x=np.zeros((40, 8, 8), np.uint8), y=np.arange(40) % 4)

    def remove(event: Event) -> None:
        data.unlink(missing_ok=True)

    with pytest.raises(UsageError, match=r"The dataset file .* does not exist"):
        study(
            "bn-apis",
            "bn-nn",
            seeds=1,
            epochs=1,
            options={"dataset": data, "batch_size": 8},
            watch=remove,
        )


def test_like_layers_is_like_layers(kept: Path) -> None:
    """Four options explain all differences but rounding: losses agree within 3 %.

    A longer run begins with the same curves as a shorter one.
    """
    found = study("bn-ablation", ["like-layers", "bn-layers"], seeds=1, epochs=6)
    (one,), (other,) = found.of("like-layers"), found.of("bn-layers")
    assert np.allclose(one.curves.train_loss, other.curves.train_loss, rtol=0.03)
    assert np.allclose(one.curves.validation_loss, other.curves.validation_loss, rtol=0.03)
    (shorter,) = study(
        "bn-apis", "bn-layers", seeds=1, epochs=3, folder=kept / "out" / "kept"
    ).trained
    for curve, values in asdict(shorter.curves).items():
        assert getattr(other.curves, curve)[:3] == values
