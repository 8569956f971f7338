"""What a study found, as a value: its runs, the tables made of them, and its summary."""

import json
import math
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ckptcheck.report.report import finite
from ckptcheck.run.digests import digest
from ckptcheck.studies.catalogue import Definition, Variant
from ckptcheck.studies.humps import END, RISE, WINDOW, Hump, humps_of, rises_of
from ckptcheck.studies.training import Curves, TrainingRun

SCHEMA_VERSION = 1
# A difference between two variants is called supported when chance alone would show the like less often than this,
# however many comparisons of its measure the study makes (Bonferroni).
LEVEL = 0.05


@dataclass(frozen=True)
class Trained:
    """One run of a study: a variant with a seed."""

    variant: Variant
    seed: int
    run: TrainingRun

    @property
    def curves(self) -> Curves:
        """The run by epoch."""
        return self.run.curves

    @property
    def finite_losses(self) -> tuple[float, ...]:
        """The validation losses up to the first that is NaN or infinite."""
        losses = self.curves.validation_loss
        return losses[: next((at for at, loss in enumerate(losses) if not math.isfinite(loss)), len(losses))]

    @cached_property
    def rises(self) -> list[Hump]:
        """Every rise of the validation loss that is high enough for a hump, returned or not."""
        return humps_of(self.finite_losses)

    @property
    def humps(self) -> list[Hump]:
        """The rises from which the loss came back."""
        return [rise for rise in self.rises if rise.returned]

    def train_rise(self, hump: Hump) -> float:
        """Return the largest rise of the smoothed training loss in the epochs of a hump and in the half window before it.

        Training normalises by the batch and reads no moving average: what rises there too is not the averages' doing.
        """
        half = WINDOW // 2
        first = hump.start - 1 - half  # the window whose middle is the first epoch of the hump
        return float(rises_of(self.curves.train_loss)[max(0, first - half) : first + hump.length].max())

    @cached_property
    def largest_rise(self) -> float:
        """The largest rise of the smoothed validation loss above its running minimum, as a share of that minimum.

        NaN where the run is shorter than a window.
        """
        return float(rises_of(self.finite_losses).max()) if len(self.finite_losses) >= WINDOW else math.nan

    def epochs_to(self, accuracy: float) -> float:
        """Return the first epoch after which the validation accuracy is as high as that; infinity if it never is."""
        reached = (epoch for epoch, each in enumerate(self.curves.validation_accuracy, start=1) if each >= accuracy)
        return next(reached, math.inf)


@dataclass(frozen=True)
class Spread:
    """Median and range over the seeds. A run that never reaches an accuracy counts as infinite."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """A variant against another, seed by seed, by one measure: in how many seeds it is lower, equal and higher.

    `p` is that of the two-sided sign test, seeds that are equal left out: how often a fair coin is as lopsided as this.
    `supported` says whether it is below `LEVEL` over the number of comparisons that the study makes by this measure.
    """

    measure: str
    variant: str
    against: str
    of_variant: Spread
    of_against: Spread
    lower: int
    equal: int
    higher: int
    p: float
    supported: bool


@dataclass(frozen=True)
class Study:
    """What a study found. `trained` has one entry for each variant and seed."""

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

    def of(self, variant: str) -> list[Trained]:
        """Return the runs of a variant, by seed."""
        return sorted((each for each in self.trained if each.variant.name == variant), key=lambda each: each.seed)

    @cached_property
    def measures(self) -> Mapping[str, Callable[[Trained], float]]:
        """What is measured of every run, by name."""
        return {
            **{reaching(accuracy): _epochs_to(accuracy) for accuracy in self.accuracies},
            "final_validation_accuracy": lambda each: each.curves.validation_accuracy[-1],
            "final_validation_loss": lambda each: each.curves.validation_loss[-1],
            "largest_rise": lambda each: each.largest_rise,
        }

    def spread(self, variant: str, measure: str) -> Spread:
        """Return median and range of a measure over the seeds."""
        return spread([self.measures[measure](each) for each in self.of(variant)])

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Every variant that the study compares with another, by every measure."""
        names = {variant.name for variant in self.variants}
        pairs = [(each.name, each.against) for each in self.variants if each.against in names]
        return tuple(self._compared(*pair, measure, len(pairs)) for measure in self.measures for pair in pairs if pair[1])

    def same_training(self, variant: str, against: str) -> int:
        """Return in how many seeds two variants have the same training losses, bit for bit."""
        pairs = zip(self.of(variant), self.of(against), strict=True)
        return sum(one.curves.train_loss == other.curves.train_loss for one, other in pairs)

    def _compared(self, variant: str, against: str, measure: str, count: int) -> Comparison:
        value = self.measures[measure]
        pairs = [(value(each), value(other)) for each, other in zip(self.of(variant), self.of(against), strict=True)]
        lower, higher = sum(one < other for one, other in pairs), sum(one > other for one, other in pairs)
        p = sign_test(lower, higher)
        spreads = self.spread(variant, measure), self.spread(against, measure)
        equal = len(pairs) - lower - higher
        return Comparison(measure, variant, against, *spreads, lower, equal, higher, p, p < LEVEL / count)

    def epochs(self) -> pd.DataFrame:
        """Return the curves: one row for each run and epoch."""
        return pd.concat([_curves(each) for each in self.trained], ignore_index=True)

    def bands(self) -> pd.DataFrame:
        """Return the curves over the seeds: one row for each variant and epoch, with median, min and max of each curve."""
        grouped = self.epochs().drop(columns="seed").groupby(["variant", "epoch"], sort=False)
        found = pd.concat({what: grouped.agg(what) for what in ("median", "min", "max")}, axis=1)
        return found.set_axis(found.columns.map("_".join), axis=1).reset_index()

    def runs(self) -> pd.DataFrame:
        """Return one row for each run: what is measured of it, its humps, a digest of its training losses, its seconds."""
        return pd.DataFrame([self._row(each) for each in self.trained])

    def _row(self, each: Trained) -> dict[str, Any]:
        return {
            "variant": each.variant.name,
            "seed": each.seed,
            **{name: measure(each) for name, measure in self.measures.items()},
            "humps": len(each.humps),
            "rises_without_return": len(each.rises) - len(each.humps),
            "training": digest(np.array(each.curves.train_loss)),
            "seconds": round(each.run.seconds, 2),
        }

    def humps(self) -> pd.DataFrame:
        """Return one row for each rise that is high enough for a hump."""
        found = [
            {"variant": each.variant.name, "seed": each.seed, **asdict(rise), "train_rise": each.train_rise(rise)}
            for each in self.trained
            for rise in each.rises
        ]
        return pd.DataFrame(found, columns=["variant", "seed", "start", "length", "size", "returned", "train_rise"])

    def findings(self) -> list[str]:
        """Return what the data supports, and no more, in sentences."""
        from ckptcheck.studies.findings import findings

        return findings(self)

    def warnings(self) -> list[str]:
        """Return a sentence for what a reader must know of the runs themselves."""
        # Within a job: some jobs need a setting of their own.
        pairs = {(each.run.recipe.job, tuple(sorted(each.run.environment.items()))) for each in self.trained}
        machines = max(Counter(job for job, _ in pairs).values())
        broken = [each for each in self.trained if len(each.finite_losses) < self.epoch_count]
        found = []
        if machines > 1:
            found.append(f"The runs were made in {machines} different environments; each run keeps its own.")
        if broken:
            names = ", ".join(f"{each.variant.name} seed {each.seed}" for each in broken[:3])
            found.append(f"The loss of {len(broken)} of {len(self.trained)} runs became NaN or infinite, {names} among them.")
        return found

    def document(self) -> dict[str, Any]:
        """Return the summary as plain values: what `summary.json` holds and `--json` prints."""
        recipe = self.trained[0].run.recipe
        plain: dict[str, Any] = finite(
            {
                "schema_version": SCHEMA_VERSION,
                "study": self.definition.name,
                "question": self.definition.question,
                "dataset": recipe.options["dataset"],
                "seeds": self.seeds,
                "epochs": self.epoch_count,
                "versions": dict(recipe.versions),
                "hump": {"window": WINDOW, "rise": RISE, "end": END},
                "variants": [self._variant(each) for each in self.variants],
                "comparisons": [asdict(each) for each in self.comparisons],
                "findings": self.findings(),
                "warnings": self.warnings(),
            }
        )
        return plain

    def _variant(self, variant: Variant) -> dict[str, Any]:
        trained = self.of(variant.name)
        return {
            "name": variant.name,
            "text": variant.text,
            "options": {key: value for key, value in trained[0].run.recipe.options.items() if key != "seed"},
            **{measure: asdict(self.spread(variant.name, measure)) for measure in self.measures},
            "humps": [len(each.humps) for each in trained],
            "rises_without_return": [len(each.rises) - len(each.humps) for each in trained],
            "against": variant.against,
            "seeds_with_same_training": self.same_training(variant.name, variant.against)
            if variant.against in {each.name for each in self.variants}
            else None,
        }

    def to_json(self) -> str:
        """Return the summary as one strict JSON document. NaN and infinities become null."""
        return json.dumps(self.document(), indent=2, allow_nan=False, ensure_ascii=False)


def reaching(accuracy: float) -> str:
    """Return the name of the measure: epochs to a validation accuracy."""
    return f"epochs_to_{accuracy:g}"


def _epochs_to(accuracy: float) -> Callable[[Trained], float]:
    return lambda each: each.epochs_to(accuracy)


def spread(values: Sequence[float]) -> Spread:
    """Return median and range; all NaN if one of the values is."""
    if any(math.isnan(value) for value in values):
        return Spread(math.nan, math.nan, math.nan)
    return Spread(statistics.median(values), min(values), max(values))


def sign_test(lower: int, higher: int) -> float:
    """Return the p-value of the two-sided sign test: of a fair coin that falls `lower` and `higher` times on its two sides."""
    tosses = lower + higher
    as_lopsided: int = sum(math.comb(tosses, heads) for heads in range(max(lower, higher), tosses + 1))
    return float(min(1.0, 2 * as_lopsided / 2**tosses))


def _curves(each: Trained) -> pd.DataFrame:
    frame = pd.DataFrame(asdict(each.curves))
    frame.insert(0, "variant", each.variant.name)
    frame.insert(1, "seed", each.seed)
    frame.insert(2, "epoch", range(1, len(frame) + 1))
    return frame
