"""Studies: what is planned, what is kept, what is said of it. The runs here are short, but real."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ckptcheck import NotVerifiedError, Study, UsageError, study
from ckptcheck.run.worker_pool import Event
from ckptcheck.studies import training
from ckptcheck.studies.catalogue import STUDIES, definition
from ckptcheck.studies.plot import plot_study
from ckptcheck.studies.result import Spread, Trained, sign_test, spread
from ckptcheck.studies.run import folder_of, plan
from ckptcheck.studies.training import Curves, Recipe, TrainingRun
from tests.cli.test_cli import run

# ---- what is planned


def test_every_variant_has_its_own_recipe() -> None:
    for asked in STUDIES.values():
        planned = plan(asked, asked.variants, 3, 7, {})
        assert len({folder_of(recipe) for _, _, recipe in planned}) == 3 * len(asked.variants)
        assert {recipe.epochs for _, _, recipe in planned} == {7}


def test_a_recipe_holds_every_option() -> None:
    (_, _, recipe), *_ = plan(definition("bn-apis"), definition("bn-apis").variants, 1, 2, {"batch_size": "64"})
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
    options = {variant.name: dict(recipe.options) for variant, _, recipe in plan(asked, asked.variants, 1, 1, {})}
    for variant in asked.variants:
        if variant.against and variant.job == "bn-nn":
            one, other = options[variant.name], options[variant.against]
            differing = {key for key in one if one[key] != other[key]}
            assert len(differing) == (4 if variant.name == "like-layers" else 1), variant.name


def test_runs_are_shared_between_studies() -> None:
    folders = {
        name: {folder_of(recipe) for _, _, recipe in plan(STUDIES[name], STUDIES[name].variants, 1, 100, {})}
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
        ({"name": "bn-apis", "accuracies": [95]}, "A validation accuracy to reach must be above 0 and at most 1, not 95."),
        ({"name": "bn-apis", "timeout": 0}, "The timeout must be above 0 seconds, not 0."),
        ({"name": "bn-apis", "options": {"seed": 3}}, "A study sets the seeds itself: say how many with --seeds."),
        (
            {"name": "bn-ablation", "options": {"decay": 0.9}},
            "The study bn-ablation itself changes decay (in decay-0.9), so it cannot be set.",
        ),
        (
            {"name": "convergence", "options": {"epsilon": 0.1}},
            "There is no option of plain called 'epsilon'. Known: batch_size, dataset, learning_rate, seed.",
        ),
        (
            {"name": "bn-apis", "options": {"decay": 2}},
            "The option decay of bn-nn must be a number above 0 and below 1, not '2'.",
        ),
        ({"name": "bn-apis", "options": {"dataset": "none.npz"}}, f"There is no dataset file {Path.cwd() / 'none.npz'}."),
        (
            {"name": "bn-apis", "executor": "localhost:8786"},
            "An executor is given as dask://HOST:PORT, the address of a Dask scheduler, not 'localhost:8786'.",
        ),
    ],
)
def test_bad_requests_are_refused_before_anything_starts(arguments: dict[str, object], message: str) -> None:
    events: list[Event] = []
    with pytest.raises(UsageError) as raised:
        study(**arguments, watch=events.append)  # type: ignore[arg-type]
    assert (str(raised.value), events) == (message, [])


# ---- what is said of it


def trained(
    variant: str, seed: int, validation: Sequence[float], accuracy: Sequence[float], train: Sequence[float]
) -> Trained:
    found = {each.name: each for each in definition("bn-ablation").variants}[variant]
    recipe = Recipe("bn-nn", {"dataset": "digits", "seed": str(seed)}, len(validation), {})
    curves = Curves(tuple(train), tuple(accuracy), tuple(validation), tuple(accuracy))
    return Trained(found, seed, TrainingRun(recipe, curves, {"python": "3"}, 1.0))


CALM = [1.0] * 20
HUMP = [1.0] * 8 + [3.0] * 5 + [1.0] * 7
FAST, SLOW = [0.5, 0.96, *[0.99] * 18], [0.5] * 10 + [0.99] * 10


def made(seeds: int) -> Study:
    """`epsilon` has a hump of its training in one seed; `no-warm-up` trains alike, is slow, and has a hump all of its own."""
    runs = []
    for seed in range(seeds):
        runs += [
            trained("bn-nn", seed, CALM, FAST, CALM),
            trained("epsilon", seed, HUMP if seed == 0 else CALM, FAST, HUMP if seed == 0 else [2.0] * 20),
            trained("no-warm-up", seed, HUMP, SLOW, CALM),
        ]
    return Study(definition("bn-ablation"), (0.95, 0.98), tuple(runs))


def test_findings_of_enough_seeds() -> None:
    assert made(7).findings() == [
        "A hump is a rise of the validation loss (mean of 5 epochs) by more than 50% of its minimum so far, and back. "
        "8 of 21 runs have one: epsilon 1 of 7, no-warm-up 7 of 7.",
        "In 1 of 8 humps the training loss rises at the same time by more than 50%. Training reads no moving average, so such a "
        "hump is the training's own. They come from 1 different training, of 1 seed.",
        "Training losses bit-equal to those of bn-nn, in every seed: no-warm-up. What sets these apart lies in the moving "
        "averages alone, and cannot make a hump of the training. In 7 of 7 seeds the validation loss of some of them rises as high "
        "as a hump, and that of others does not: there the averages decide.",
        "Largest rise of the validation loss above its minimum, in %: bn-nn 0. no-warm-up 200, larger in 7 of 7 seeds; no "
        "difference is supported for epsilon.",
        "Epochs to a validation accuracy of 98 %: bn-nn 3. no-warm-up 11, more in 7 of 7 seeds; no difference is supported for "
        "epsilon.",
        "Validation accuracy after 20 epochs, in %: bn-nn 99.0. No difference is supported for epsilon, no-warm-up.",
        "Supported: by a sign test over the 7 seeds, p below 0.05 divided by 2 comparisons of a measure. Median and range over "
        "the seeds.",
    ]


def test_too_few_seeds_support_nothing() -> None:
    """The same differences as above, in every seed: but so few tosses of a coin fall alike often enough."""
    found = made(6)
    assert not any(each.supported for each in found.comparisons)
    assert found.findings()[-1] == (
        "With 6 seeds no difference can be supported: the sign test, with 2 comparisons of a measure, needs at least 7 seeds "
        "(--seeds 7). Median and range over the seeds."
    )


def test_without_a_hump() -> None:
    runs = tuple(each for each in made(2).trained if each.variant.name == "bn-nn")
    assert Study(definition("bn-ablation"), (0.95,), runs).findings() == [
        "A hump is a rise of the validation loss (mean of 5 epochs) by more than 50% of its minimum so far, and back. "
        "None of the 2 runs has one."
    ]


def test_a_run_that_is_too_short_for_a_hump() -> None:
    runs = [trained(name, 0, CALM[:4], FAST[:4], CALM[:4]) for name in ("bn-nn", "epsilon")]
    assert Study(definition("bn-ablation"), (0.95,), tuple(runs)).findings() == [
        "A hump is a rise of the validation loss (mean of 5 epochs) by more than 50% of its minimum so far, and back. "
        "Runs of 4 epochs are too short to show one.",
        "Training losses bit-equal to those of bn-nn, in every seed: epsilon. What sets these apart lies in the moving averages "
        "alone, and cannot make a hump of the training.",
        "Epochs to a validation accuracy of 95 %: bn-nn 2. No difference is supported for epsilon.",
        "Validation accuracy after 4 epochs, in %: bn-nn 99.0. No difference is supported for epsilon.",
        "With 1 seed no difference can be supported: the sign test, with 1 comparison of a measure, needs at least 6 seeds "
        "(--seeds 6). Median and range over the seeds.",
    ]


def test_a_rise_without_return_is_no_hump() -> None:
    found = Study(definition("bn-ablation"), (0.95,), (trained("bn-nn", 0, [1.0] * 10 + [3.0] * 10, FAST, CALM),))
    assert found.findings()[0].endswith(
        "None of the 1 runs has one. In 1 the loss was still up when training ended; that is not counted."
    )
    assert found.runs()[["humps", "rises_without_return"]].values.tolist() == [[0, 1]]


def test_a_loss_that_turns_nan() -> None:
    broken = trained("bn-nn", 0, [*CALM[:7], float("nan"), *CALM[8:-1], float("nan")], FAST, CALM)
    found = Study(definition("bn-ablation"), (0.95,), (broken, trained("bn-nn", 1, CALM, FAST, CALM)))
    assert found.warnings() == ["The loss of 1 of 2 runs became NaN or infinite, bn-nn seed 0 among them."]
    assert np.isnan(found.spread("bn-nn", "final_validation_loss").median)
    assert json.loads(found.to_json())["variants"][0]["final_validation_loss"] == {"median": None, "low": None, "high": None}
    plot_study(found).canvas.draw()


def test_runs_of_two_machines_are_told() -> None:
    one, other = made(1).trained[:2]
    other = replace(other, run=replace(other.run, environment={"python": "4"}))
    assert Study(definition("bn-ablation"), (0.95,), (one, other)).warnings() == [
        "The runs were made in 2 different environments; each run keeps its own."
    ]


def test_measures() -> None:
    inf = float("inf")
    assert spread([3, 1, 2]) == Spread(2, 1, 3)
    assert spread([3, 1, inf, 2]) == Spread(2.5, 1, inf)
    assert spread([3, 1, inf, inf]) == Spread(inf, 1, inf)
    assert trained("bn-nn", 0, CALM, FAST, CALM).epochs_to(0.96) == 2
    assert trained("bn-nn", 0, CALM, FAST, CALM).epochs_to(0.999) == inf


@pytest.mark.parametrize(("lower", "higher", "p"), [(0, 0, 1), (1, 1, 1), (0, 5, 0.0625), (5, 0, 0.0625), (1, 9, 22 / 1024)])
def test_sign_test(lower: int, higher: int, p: float) -> None:
    assert sign_test(lower, higher) == pytest.approx(p)


# ---- what is trained, and kept


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study that was run from the command line."""
    folder = tmp_path_factory.mktemp("study")
    done = run("study", "bn-apis", "--seeds", "1", "--epochs", "3", "--out", "out", "--accuracy", "0.2", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[0] == "ckptcheck: starting; TensorFlow takes some seconds to import …"
    assert sorted(done.stderr.splitlines()[1:]) in (
        ["ckptcheck: bn-layers seed 0 done (1 of 2)", "ckptcheck: bn-nn seed 0 done (2 of 2)"],
        ["ckptcheck: bn-layers seed 0 done (2 of 2)", "ckptcheck: bn-nn seed 0 done (1 of 2)"],
    )
    (folder / "printed.txt").write_text(done.stdout)
    return folder


def test_what_is_printed(kept: Path) -> None:
    printed = (kept / "printed.txt").read_text()
    head, table, legend = (
        "Do tf.nn and tf.layers train alike, and does tf.layers go through a hump?\n"
        "digits, 3 epochs, 1 seed: median (range); ∞: never reached\n",
        "           epochs to        final  largest  runs with\nvariant         20 %  accuracy, %  rise, %     a hump\n",
        "bn-nn      tf.nn, as in the article: epsilon 1e-5, warm-up, start at 0, second",
    )
    for part in (head, table, legend, "Curves: out/bn-apis/curves.png   All numbers: out/bn-apis/summary.json\n"):
        assert part in printed
    assert max(map(len, printed.splitlines())) <= 80


def test_what_is_left(kept: Path) -> None:
    names = {path.name for path in (kept / "out" / "bn-apis").iterdir()}
    assert names == {"bands.csv", "curves.png", "curves.svg", "epochs.csv", "humps.csv", "runs.csv", "summary.json"}
    assert (
        (kept / "out" / "bn-apis" / "epochs.csv")
        .read_text()
        .startswith("variant,seed,epoch,train_loss,train_accuracy,validation_loss,validation_accuracy\nbn-nn,0,1,")
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


def names_of(events: list[Event], kind: str) -> list[str]:
    return sorted(event.name for event in events if event.kind == kind)


def test_nothing_is_trained_twice(kept: Path) -> None:
    events: list[Event] = []
    again = study("bn-apis", seeds=1, epochs=3, folder=kept / "out" / "kept", watch=events.append)
    assert {event.kind for event in events} == {"kept"}
    more = study("bn-apis", seeds=2, epochs=3, folder=kept / "out" / "kept", watch=events.append)
    assert names_of(events, "started") == ["bn-layers seed 1", "bn-nn seed 1"]
    assert more.of("bn-nn")[0].curves == again.of("bn-nn")[0].curves
    assert more.of("bn-nn")[0].curves != more.of("bn-nn")[1].curves


def test_what_is_said_of_kept_runs(kept: Path, tmp_path: Path) -> None:
    shutil.copytree(kept / "out", tmp_path / "out")
    done = run("study", "bn-apis", "bn-nn", "--seeds", "1", "--epochs", "3", "--out", "out", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "ckptcheck: 1 run is kept from before\n")


def test_a_run_is_the_same_wherever_it_is_made(kept: Path) -> None:
    found = study("bn-apis", "bn-nn", seeds=1, epochs=3)
    assert (
        found.of("bn-nn")[0].curves == study("bn-apis", seeds=1, epochs=3, folder=kept / "out" / "kept").of("bn-nn")[0].curves
    )


def test_a_stopped_study_goes_on(tmp_path: Path) -> None:
    """Ctrl-C when the first run is done: it is kept, the others are trained by the same command, and nobody is left."""
    command = [sys.executable, "-m", "ckptcheck", "study", "bn-apis", "--seeds", "3", "--epochs", "4"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    runs = tmp_path / "ckptcheck-study" / "kept"
    until = time.monotonic() + 60
    while not list(runs.glob("*/run.json")) and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 3
    assert errors.splitlines()[-1] == (
        "ckptcheck: Interrupted: the runs that had finished are kept, and the same command goes on with the others. "
        "No process was left behind."
    )
    assert not any(str(tmp_path).encode() in Path(f"/proc/{each}/cmdline").read_bytes() for each in children())
    finished = {path.parent.name for path in runs.glob("*/run.json")}
    assert 0 < len(finished) < 6
    events: list[Event] = []
    study("bn-apis", seeds=3, epochs=4, folder=runs, watch=events.append)
    assert len(names_of(events, "started")) == 6 - len(finished)
    assert finished < {path.parent.name for path in runs.glob("*/run.json")}


def children() -> list[str]:
    return [each.name for each in Path("/proc").iterdir() if each.name.isdecimal() and os.access(each / "cmdline", os.R_OK)]


def test_a_verification_does_not_take_the_place_of_kept_runs(kept: Path, tmp_path: Path) -> None:
    """Also where a study was stopped before it had results: there is nothing but its runs."""
    shutil.copytree(kept / "out", tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "bn-apis")
    done = run("verify", "plain", "--out", "out", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        "ckptcheck: The output folder out holds something else (kept): nothing was written. Name a folder that is empty, is not "
        "there yet, or holds earlier results of the same command.\n",
    )


def test_a_damaged_record(kept: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text('{"format_version": 1, "curves"')
    with pytest.raises(NotVerifiedError) as raised:
        training.read(tmp_path)
    assert str(raised.value) == (
        f"The kept run {path} is damaged (Expecting ':' delimiter: line 1 column 31 (char 30)). "
        "Remove its folder, and it is trained again."
    )
    path.write_text('{"format_version": 99, "curves": {}}')
    with pytest.raises(NotVerifiedError, match="has format 99; this ckptcheck reads format 1"):
        training.read(tmp_path)


def test_a_run_that_does_not_finish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dataset that goes away after the plan: the run says why, and exits with 3."""
    data = tmp_path / "data.npz"
    np.savez(data, x=np.zeros((40, 8, 8), np.uint8), y=np.arange(40) % 4)

    def remove(event: Event) -> None:
        data.unlink(missing_ok=True)

    with pytest.raises(UsageError, match="There is no dataset file"):
        study("bn-apis", "bn-nn", seeds=1, epochs=1, options={"dataset": data, "batch_size": 8}, watch=remove)


def test_like_layers_is_like_layers() -> None:
    """The four differences are all there is but for rounding: the same validation losses within 3 %, and the same training."""
    found = study("bn-ablation", ["like-layers", "bn-layers"], seeds=1, epochs=6)
    (one,), (other,) = found.of("like-layers"), found.of("bn-layers")
    assert np.allclose(one.curves.train_loss, other.curves.train_loss, rtol=0.03)
    assert np.allclose(one.curves.validation_loss, other.curves.validation_loss, rtol=0.03)


# ---- the command line


def test_the_list_of_studies(tmp_path: Path) -> None:
    done = run("study", cwd=tmp_path)
    assert done.returncode == 0
    for each in STUDIES.values():
        assert f"{each.name}\n  {each.question}\n  variants:\n" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["bn-apis", "--dataset", "digits", "--set", "dataset=mnist"], 2, "dataset is given twice: digits and mnist."),
        (["bn-apis", "--dataset", "cifar"], 2, "There is no dataset called 'cifar'."),
        (["bn-apis", "--executor", "nowhere"], 2, "An executor is given as dask://HOST:PORT,"),
        (["bn-apis", "--html", "."], 2, "The file . cannot be written: Is a directory."),
        (["bn-apis", "--html", "no/where.html"], 2, "The file no/where.html cannot be written: No such file or directory."),
        (["bn-apis", "--out", "/proc/nowhere"], 2, "The output folder /proc/nowhere cannot be written:"),
    ],
)
def test_bad_commands(arguments: list[str], code: int, message: str, tmp_path: Path) -> None:
    done = run("study", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"ckptcheck: {message}")
    assert list(tmp_path.iterdir()) == []
