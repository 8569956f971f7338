"""A study from question to result. A reader starts here.

variants × seeds ─▶ recipes ─▶ kept runs, and those that are still to be trained ─▶ the study as a value
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import asdict
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ckptcheck.errors import NotVerifiedError, UsageError
from ckptcheck.job.frameworks import preloads
from ckptcheck.job.options import absolute, as_texts, shown
from ckptcheck.job.shipped import shipped
from ckptcheck.run.dask import Place, opened
from ckptcheck.run.dispatch import Group, Needs
from ckptcheck.run.dispatch import run as run_groups
from ckptcheck.run.worker_pool import Event
from ckptcheck.studies import training
from ckptcheck.studies.catalogue import Definition, Variant, definition, options_of
from ckptcheck.studies.result import Trained
from ckptcheck.studies.summary import Study
from ckptcheck.studies.training import Recipe, Task, TrainingRun

ACCURACIES = (0.95, 0.98)
MOST_SEEDS = 1000
Watch = Callable[[Event], None]
Planned = tuple[Variant, int, Recipe]


def study(
    name: str,
    variants: str | Sequence[str] | None = None,
    *,
    seeds: int = 5,
    epochs: int | None = None,
    options: Mapping[str, Any] | None = None,
    accuracies: Sequence[float] = ACCURACIES,
    timeout: float = 300.0,
    folder: Path | str | None = None,
    executor: Executor | str | None = None,
    watch: Watch | None = None,
) -> Study:
    """Train the variants of a study with several seeds, side by side, and put their curves together.

    Args:
        name: `convergence`, `bn-apis` or `bn-ablation`.
        variants: those of its variants to train; default: all.
        seeds: number of seeds: each variant is trained with the seeds 0, 1, … A seed decides initial weights and batches,
            which are the same in all variants.
        epochs: length of a run; default: the study's.
        options: option values of the jobs by name, as in `ckptcheck jobs`; not what the study itself changes.
        accuracies: validation accuracies (0 to 1) of which is told after how many epochs they are reached.
        timeout: seconds without a sign of life after which a process is ended.
        folder: where each finished run is kept, to be used again; default: they are not kept.
        executor: a `concurrent.futures.Executor`, or `dask://HOST:PORT`; default: processes of this machine.
        watch: called with each event of each process, and with an event `kept` for each run that need not be trained.

    Raises:
        UsageError: the request is wrong; the text says which part.
        NotVerifiedError: a run did not finish; those that did are kept.
    """
    asked = definition(name)
    chosen = asked.chosen((variants,) if isinstance(variants, str) else tuple(variants or ()))
    _check(seeds, epochs, accuracies, timeout)
    planned = plan(asked, chosen, seeds, epochs or asked.epochs, as_texts(options))
    with (
        TemporaryDirectory(prefix="ckptcheck-", ignore_cleanup_errors=True)
        if folder is None
        else nullcontext(folder) as kept
    ):
        top = Path(kept).resolve()
        with opened(executor) as place:
            top.mkdir(parents=True, exist_ok=True)
            _train(planned, top, timeout, place, watch or (lambda event: None))
        trained = [Trained(variant, seed, _kept(recipe, top)) for variant, seed, recipe in planned]
        return Study(asked, tuple(accuracies), tuple(trained))


def _check(seeds: int, epochs: int | None, accuracies: Sequence[float], timeout: float) -> None:
    if not 1 <= seeds <= MOST_SEEDS:
        raise UsageError(f"The number of seeds must be from 1 to {MOST_SEEDS}, not {seeds}.")
    if epochs is not None and epochs < 1:
        raise UsageError(f"A run must have at least 1 epoch, not {epochs}.")
    for accuracy in accuracies:
        if not 0 < accuracy <= 1:
            raise UsageError(
                f"A validation accuracy to reach must be above 0 and at most 1, not {accuracy:g}."
            )
    if timeout <= 0:
        raise UsageError(f"The timeout must be above 0 seconds, not {timeout:g}.")


def plan(
    asked: Definition,
    chosen: Sequence[Variant],
    seeds: int,
    epochs: int,
    options: Mapping[str, str],
) -> list[Planned]:
    """Return the recipe of each variant with each seed, seed by seed: a study that is stopped has whole seeds."""
    options = absolute(options)
    versions = training.versions()
    summed: dict[str, str | None] = {}
    planned = []
    for seed, variant in product(range(seeds), chosen):
        given = options_of(variant, options, asked) | {"seed": str(seed)}
        planned.append((variant, seed, _recipe(variant.job, given, epochs, versions, summed)))
    return planned


def _recipe(
    job: str,
    given: Mapping[str, str],
    epochs: int,
    versions: Mapping[str, str],
    summed: dict[str, str | None],
) -> Recipe:
    read = shipped(job).parse(given)
    if read.dataset not in summed:
        read.steps_per_epoch()  # a look whether it can be trained on
        is_file = read.dataset.endswith(".npz")
        summed[read.dataset] = (
            hashlib.sha256(Path(read.dataset).read_bytes()).hexdigest() if is_file else None
        )
    return Recipe(
        job,
        {key: shown(value) for key, value in asdict(read).items()},
        epochs,
        versions,
        summed[read.dataset],
    )


def folder_of(recipe: Recipe) -> str:
    """Return the name of the folder in which a run of this recipe is kept."""
    whole = json.dumps(asdict(recipe), sort_keys=True)
    return f"{recipe.job}-seed{recipe.options['seed']}-{hashlib.sha256(whole.encode()).hexdigest()[:12]}"


def _kept(recipe: Recipe, top: Path) -> TrainingRun:
    run = training.read(top / folder_of(recipe))
    if run is None:
        raise NotVerifiedError(f"The run {folder_of(recipe)} left no record.")
    return run


def _train(
    planned: Sequence[Planned], top: Path, timeout: float, place: Place | None, watch: Watch
) -> None:
    # Variants that come to the same recipe are trained once.
    by_folder = {folder_of(recipe): (variant, seed, recipe) for variant, seed, recipe in planned}
    groups = []
    for folder, (variant, seed, recipe) in by_folder.items():
        task = Task(
            f"{variant.name} seed {seed}", folder, asdict(recipe), shipped(variant.job).environment
        )
        if training.read(top / folder) is None:
            shutil.rmtree(top / folder, ignore_errors=True)  # what a stopped study left of a run
            groups.append(Group(task))
        else:
            watch(Event(task, "kept", {}))
    if groups:
        _train_groups(groups, top, timeout, place, watch)


def _train_groups(
    groups: Sequence[Group], top: Path, timeout: float, place: Place | None, watch: Watch
) -> None:
    trouble: dict[str, str] = {}
    jobs = [group.first.recipe["job"] for group in groups]
    for event in run_groups(groups, top, Needs(preloads(jobs), (Task.hash_seed,), timeout), place):
        if event.kind == "usage":
            raise UsageError(event.facts["text"])
        if event.kind == "missing":
            raise NotVerifiedError(event.facts["text"])
        if event.kind == "trouble" or (event.kind == "ended" and event.facts["trouble"]):
            trouble.setdefault(event.name, event.facts.get("text") or event.facts["trouble"])
        watch(event)
    if trouble:
        first, why = next(iter(trouble.items()))
        raise NotVerifiedError(
            f"{len(trouble)} of {len(groups)} runs did not finish, {first} for one: {why.rstrip('.')}. "
            "Those that finished are kept; the same command trains the others."
        )
