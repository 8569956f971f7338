"""Run a study, from question to result. A reader starts here.

variants × seeds ─▶ recipes ─▶ runs, kept or trained now ─▶ the study as a value
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
    """Train the variants of a study with several seeds, and compare their training curves.

    Args:
        name: `convergence`, `bn-apis` or `bn-ablation`.
        variants: the variants to train; default: all.
        seeds: number of seeds. Each variant is trained with the seeds 0, 1, … A seed decides
            initial weights and batches, which are the same in all variants.
        epochs: length of a run in epochs; default: the study's.
        options: option values of the jobs by name, as `ckptcheck jobs` lists them. Options that
            the study itself changes cannot be set.
        accuracies: validation accuracies (0 to 1); the study measures the first epoch that
            reaches each.
        timeout: seconds after which a silent process is killed.
        folder: where finished runs are kept and found again; default: runs are not kept.
        executor: a `concurrent.futures.Executor`, or `dask://HOST:PORT`; default: processes on
            this machine.
        watch: called with each event of each process, and with an event `kept` for each run that
            is kept already.

    Returns:
        The study: its runs, measures, comparisons and findings.

    Raises:
        UsageError: the request is wrong; the text says which part.
        NotVerifiedError: a run did not finish; finished runs are kept.

    Example:
        ```python
        study = ckptcheck.study("convergence", seeds=12, folder="runs")
        for finding in study.findings():
            print(finding)
        study.runs().to_csv("runs.csv")
        ```
    """
    wanted = definition(name)
    selected = wanted.chosen((variants,) if isinstance(variants, str) else tuple(variants or ()))
    _check(seeds, epochs, accuracies, timeout)
    planned = plan(wanted, selected, seeds, epochs or wanted.epochs, as_texts(options))
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
        return Study(wanted, tuple(accuracies), tuple(trained))


def _check(seeds: int, epochs: int | None, accuracies: Sequence[float], timeout: float) -> None:
    if not 1 <= seeds <= MOST_SEEDS:
        raise UsageError(f"The number of seeds must be from 1 to {MOST_SEEDS}, not {seeds}.")
    if epochs is not None and epochs < 1:
        raise UsageError(f"A run must have at least 1 epoch, not {epochs}.")
    for accuracy in accuracies:
        if not 0 < accuracy <= 1:
            raise UsageError(
                f"A validation accuracy must be above 0 and at most 1, not {accuracy:g}."
            )
    if not timeout > 0:  # NaN, too
        raise UsageError(f"The timeout must be above 0 seconds, not {timeout:g}.")


def plan(
    definition: Definition,
    variants: Sequence[Variant],
    seeds: int,
    epochs: int,
    options: Mapping[str, str],
) -> list[Planned]:
    """Return the recipe of each variant with each seed.

    All variants of a seed come before the next seed, so that a stopped study has whole seeds.
    """
    options = absolute(options)
    versions = training.versions()
    digests: dict[str, str | None] = {}
    planned = []
    for seed, variant in product(range(seeds), variants):
        texts = options_of(variant, options, definition) | {"seed": str(seed)}
        planned.append((variant, seed, _recipe(variant.job, texts, epochs, versions, digests)))
    return planned


def _recipe(
    job: str,
    texts: Mapping[str, str],
    epochs: int,
    versions: Mapping[str, str],
    digests: dict[str, str | None],
) -> Recipe:
    options = shipped(job).parse(texts)
    if options.dataset not in digests:
        options.steps_per_epoch()  # raises if the dataset is unusable
        is_file = options.dataset.endswith(".npz")
        digests[options.dataset] = (
            hashlib.sha256(Path(options.dataset).read_bytes()).hexdigest() if is_file else None
        )
    return Recipe(
        job,
        {key: shown(value) for key, value in asdict(options).items()},
        epochs,
        versions,
        digests[options.dataset],
    )


def folder_of(recipe: Recipe) -> str:
    """Return the name of the folder in which a run of this recipe is kept."""
    text = json.dumps(asdict(recipe), sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{recipe.job}-seed{recipe.options['seed']}-{digest}"


def _kept(recipe: Recipe, top: Path) -> TrainingRun:
    run = training.read(top / folder_of(recipe))
    if run is None:
        raise NotVerifiedError(f"The run {folder_of(recipe)} finished, but its record is missing.")
    return run


def _train(
    planned: Sequence[Planned], top: Path, timeout: float, place: Place | None, watch: Watch
) -> None:
    # Variants with the same recipe are trained once.
    by_folder = {folder_of(recipe): (variant, seed, recipe) for variant, seed, recipe in planned}
    groups = []
    for folder, (variant, seed, recipe) in by_folder.items():
        task = Task(
            f"{variant.name} seed {seed}", folder, asdict(recipe), shipped(variant.job).environment
        )
        if training.read(top / folder) is None:
            shutil.rmtree(top / folder, ignore_errors=True)  # an unfinished run of a stopped study
            groups.append(Group(task))
        else:
            watch(Event(task, "kept", {}))
    if groups:
        _train_groups(groups, top, timeout, place, watch)


def _train_groups(
    groups: Sequence[Group], top: Path, timeout: float, place: Place | None, watch: Watch
) -> None:
    failures: dict[str, str] = {}
    jobs = [group.first.recipe["job"] for group in groups]
    for event in run_groups(groups, top, Needs(preloads(jobs), (Task.hash_seed,), timeout), place):
        event.check()
        if event.kind == "trouble" or (event.kind == "ended" and event.facts["trouble"]):
            failures.setdefault(event.name, event.facts.get("text") or event.facts["trouble"])
        watch(event)
    if failures:
        first, why = next(iter(failures.items()))
        raise NotVerifiedError(
            f"{len(failures)} of {len(groups)} runs did not finish. The first, {first}: "
            f"{why.rstrip('.')}. Finished runs are kept; the same command trains the rest."
        )
