"""Studies made by hand, whose findings are known."""

from collections.abc import Sequence

from ckptcheck import Study
from ckptcheck.studies.catalogue import definition
from ckptcheck.studies.result import Trained
from ckptcheck.studies.training import Curves, Recipe, TrainingRun


def trained(
    variant: str,
    seed: int,
    validation: Sequence[float],
    accuracy: Sequence[float],
    train: Sequence[float],
) -> Trained:
    found = {each.name: each for each in definition("bn-ablation").variants}[variant]
    recipe = Recipe("bn-nn", {"dataset": "digits", "seed": str(seed)}, len(validation), {})
    curves = Curves(tuple(train), tuple(accuracy), tuple(validation), tuple(accuracy))
    return Trained(found, seed, TrainingRun(recipe, curves, {"python": "3"}, 1.0))


CALM = [1.0] * 20
HUMP = [1.0] * 8 + [3.0] * 5 + [1.0] * 7
FAST, SLOW = [0.5, 0.96, *[0.99] * 18], [0.5] * 10 + [0.99] * 10


def made(seeds: int) -> Study:
    """Return a study with known humps.

    `epsilon` has a hump in its training loss with one seed. `no-warm-up` has the training losses of
    `bn-nn`, converges slowly, and has a hump with every seed.
    """
    runs = []
    for seed in range(seeds):
        runs += [
            trained("bn-nn", seed, CALM, FAST, CALM),
            trained(
                "epsilon",
                seed,
                HUMP if seed == 0 else CALM,
                FAST,
                HUMP if seed == 0 else [2.0] * 20,
            ),
            trained("no-warm-up", seed, HUMP, SLOW, CALM),
        ]
    return Study(definition("bn-ablation"), (0.95, 0.98), tuple(runs))
