"""The runs of a study, their measures, and the tables made of them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from itertools import product
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd

from ckptcheck.run.digests import digest
from ckptcheck.studies.catalogue import Definition, Variant
from ckptcheck.studies.humps import WINDOW, Hump, humps_of, rises_of
from ckptcheck.studies.paired_test import PairedTest, Spread, paired_test, spread
from ckptcheck.studies.training import Curves, TrainingRun


@dataclass(frozen=True)
class Trained:
    """One finished run of a study: a variant trained with a seed."""

    variant: Variant
    seed: int
    run: TrainingRun

    @property
    def curves(self) -> Curves:
        """The curves of the run, by epoch."""
        return self.run.curves

    @property
    def finite_losses(self) -> tuple[float, ...]:
        """The validation losses up to the first that is NaN or infinite."""
        losses = self.curves.validation_loss
        broken = (at for at, loss in enumerate(losses) if not math.isfinite(loss))
        return losses[: next(broken, len(losses))]

    @cached_property
    def rises(self) -> list[Hump]:
        """Every rise of the validation loss above the threshold of a hump, returned or not."""
        return humps_of(self.finite_losses)

    @property
    def humps(self) -> list[Hump]:
        """The rises from which the loss returned."""
        return [rise for rise in self.rises if rise.returned]

    def train_rise(self, hump: Hump) -> float:
        """Return the largest rise of the smoothed training loss during a hump.

        The half window before the hump counts, too. Training normalises with batch statistics, so
        moving averages cannot cause such a rise.
        """
        half = WINDOW // 2
        first = hump.start - 1 - half  # the window whose middle is the first epoch of the hump
        return float(
            rises_of(self.curves.train_loss)[max(0, first - half) : first + hump.length].max()
        )

    @cached_property
    def largest_rise(self) -> float:
        """The largest rise of the smoothed validation loss, as `Hump.size`.

        NaN if the run is shorter than a window.
        """
        return (
            float(rises_of(self.finite_losses).max())
            if len(self.finite_losses) >= WINDOW
            else math.nan
        )

    def epochs_to(self, accuracy: float) -> float:
        """Return the first epoch that reaches a validation accuracy; infinity if none does."""
        epochs = enumerate(self.curves.validation_accuracy, start=1)
        return next((epoch for epoch, reached in epochs if reached >= accuracy), math.inf)


@dataclass(frozen=True)
class Result:
    """What a study measured.

    Attributes:
        definition: the study's question and variants.
        accuracies: validation accuracies (0 to 1) whose first epoch is measured.
        trained: one run for each variant and seed.
    """

    definition: Definition
    accuracies: tuple[float, ...]
    trained: tuple[Trained, ...]

    @property
    def variants(self) -> list[Variant]:
        """The variants that were trained, in the order of the study."""
        return list({each.variant.name: each.variant for each in self.trained}.values())

    @property
    def seeds(self) -> int:
        """Number of runs of each variant."""
        return len({each.seed for each in self.trained})

    @property
    def epoch_count(self) -> int:
        """Length of each run in epochs."""
        return self.trained[0].run.recipe.epochs

    @property
    def dataset(self) -> str:
        """The dataset of all runs: its name or file."""
        return self.trained[0].run.recipe.options["dataset"]

    def of(self, variant: str) -> list[Trained]:
        """Return the runs of a variant, by seed."""
        return sorted(
            (each for each in self.trained if each.variant.name == variant),
            key=lambda each: each.seed,
        )

    @cached_property
    def measures(self) -> Mapping[str, Callable[[Trained], float]]:
        """The functions that measure a run, by name."""
        return {
            **{
                reaching(accuracy): partial(Trained.epochs_to, accuracy=accuracy)
                for accuracy in self.accuracies
            },
            "final_validation_accuracy": lambda each: each.curves.validation_accuracy[-1],
            "final_validation_loss": lambda each: each.curves.validation_loss[-1],
            "largest_rise": attrgetter("largest_rise"),
        }

    def spread(self, variant: str, measure: str) -> Spread:
        """Return median and range of a measure over the seeds."""
        return spread([self.measures[measure](each) for each in self.of(variant)])

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Each variant with its reference, where both were trained."""
        names = {variant.name for variant in self.variants}
        return [
            (each.name, each.against)
            for each in self.variants
            if each.against and each.against in names
        ]

    @cached_property
    def comparisons(self) -> tuple[PairedTest, ...]:
        """The comparison of every pair by every measure."""
        tests = []
        for (measure, of_run), (variant, against) in product(self.measures.items(), self.pairs):
            values, others = ([of_run(run) for run in self.of(name)] for name in (variant, against))
            tests.append(paired_test(measure, variant, against, values, others, len(self.pairs)))
        return tuple(tests)

    def same_training(self, variant: str, against: str) -> int:
        """Return the number of seeds in which the training losses are bitwise identical."""
        pairs = zip(self.of(variant), self.of(against), strict=True)
        return sum(one.curves.train_loss == other.curves.train_loss for one, other in pairs)

    def epochs(self) -> pd.DataFrame:
        """Return the curves: one row for each run and epoch."""
        frames = []
        for each in self.trained:
            keys = {
                "variant": each.variant.name,
                "seed": each.seed,
                "epoch": range(1, self.epoch_count + 1),
            }
            frames.append(pd.DataFrame(keys | asdict(each.curves)))
        return pd.concat(frames, ignore_index=True)

    def bands(self) -> pd.DataFrame:
        """Return median, min and max of the curves over the seeds, by variant and epoch."""
        grouped = self.epochs().drop(columns="seed").groupby(["variant", "epoch"], sort=False)
        bands = pd.concat({what: grouped.agg(what) for what in ("median", "min", "max")}, axis=1)
        return bands.set_axis(bands.columns.map("_".join), axis=1).reset_index()

    def runs(self) -> pd.DataFrame:
        """Return one row for each run: measures, humps, digest of the training losses, seconds."""
        return pd.DataFrame([self._row(each) for each in self.trained])

    def _row(self, trained: Trained) -> dict[str, Any]:
        return {
            "variant": trained.variant.name,
            "seed": trained.seed,
            **{name: measure(trained) for name, measure in self.measures.items()},
            "humps": len(trained.humps),
            "rises_without_return": len(trained.rises) - len(trained.humps),
            "training": digest(np.array(trained.curves.train_loss)),
            "seconds": round(trained.run.seconds, 2),
        }

    def humps(self) -> pd.DataFrame:
        """Return one row for each rise above the threshold of a hump."""
        rises = [
            {
                "variant": each.variant.name,
                "seed": each.seed,
                **asdict(rise),
                "train_rise": each.train_rise(rise),
            }
            for each in self.trained
            for rise in each.rises
        ]
        return pd.DataFrame(
            rises, columns=["variant", "seed", "start", "length", "size", "returned", "train_rise"]
        )


def reaching(accuracy: float) -> str:
    """Return the name of the measure `epochs to a validation accuracy`."""
    return f"epochs_to_{accuracy:g}"
