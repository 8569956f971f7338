"""What is planted, and what must be found: every cause with its stage, and nothing else. Needs no TensorFlow."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import held_out
from .held_out import NOT_APPLIED, OMITTED, OVERWRITTEN, SLOTS_AND_STEP, Causes

HERE = Path(__file__).parent
VARIANTS = (0, 1, 2)


@dataclass(frozen=True)
class Planted:
    """One defect, pair of defects, or clean case: a job of a module, a restore, and all causes that must be named.

    `settings` are what a clean case is verified with: a tolerance, what is allowed, repetitions.
    """

    module: str
    job: str
    restore: str
    what: str  # defect, pair, clean
    causes: tuple[tuple[str, str | None], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def target(self, variant: int) -> str:
        """The job in one of its variants, as `verify` takes it."""
        return f"{HERE / self.module}:{self.job}_{variant}"


DEFECTS: dict[str, dict[str, dict[str, Causes]]] = held_out.DEFECTS | {
    "loop.py": {
        "Loop": {
            "optimizer-left-out": [("slots-lost", OMITTED), ("accumulators-lost", OMITTED), ("step-lost", OMITTED)],
            "slots-left-out": [("slots-lost", OMITTED)],
            "iterations-left-out": [("step-lost", OMITTED)],
            "step-left-out": [("step-lost", OMITTED)],
            "accumulators-left-out": [("accumulators-lost", OMITTED)],
            "statistics-left-out": [("moving-statistics-lost", OMITTED)],
            "statistics-not-asked-for": [("moving-statistics-lost", NOT_APPLIED)],
            "statistics-initialised": [("moving-statistics-lost", OVERWRITTEN)],
            "shadows-left-out": [("shadows-lost", OMITTED)],
            "shadows-from-weights": [("shadows-lost", OMITTED)],
            "weights-from-shadows": [("shadows-in-weights", None)],
            "weights-left-out": [("weights-lost", OMITTED)],
            "dropout-seed-left-out": [("generators-restarted", OMITTED)],
            "generator-left-out": [("generators-restarted", OMITTED)],
            "generator-reseeded": [("generators-reseeded", OVERWRITTEN)],
            "iterator-left-out": [("data-restarted", None)],
            "batch-taken": [("data-shifted", None)],
            "first-order-again": [("data-order", None)],
            "buffer-lost": [("examples-lost", None)],
            "nan-in-a-slot": [("not-finite", OVERWRITTEN)],
            "through-bfloat16": [("precision-lost", OVERWRITTEN)],
            "decayed": [("weights-scaled", OVERWRITTEN)],
            "weights-exchanged": [("weights-swapped", None)],
            "slots-exchanged": [("slots-swapped", None)],
            "extra-left-out": [("state-lost", OMITTED)],
            "other-setting": [("hyperparameters-differ", OMITTED)],
            "other-rate": [("learning-rate-differs", None)],
            "older-weights": [("older-checkpoint", None)],
            "wrong-folder": [("nothing-restored", None)],
            "evaluation-mode": [("mode-differs", None)],
            "frozen-layer": [("mode-differs", None)],
            "raises": [("resumed-run-raised", None)],
            "other-dtype": [("tensors-missing", None)],
            "truncated": [("checkpoint-damaged", None)],
            "statistics-exchanged": [("tensors-swapped", None)],
            "other-data": [("batches-differ", None)],
            "hidden-penalty": [("unexplained", None)],
            "refuses": [("restore-raised", None)],
        },
        "NeverInTraining": {"whole": [("statistics-never-move", "never live")]},
        "NeverAveraged": {"whole": [("shadows-never-move", "never live")]},
        "SavesAverages": {"whole": [("saving-changes-the-run", None)]},
        "SavingDraws": {"whole": [("saving-changes-the-run", None)]},
        "LayersInList": {"in-list": [("moving-statistics-lost", OMITTED), ("weights-lost", OMITTED)]},
        "CountsItself": {"whole": [("python-state-lost", None)]},
        "FirstUpdateCopies": {"whole": [("statistics-restarted", None)]},
        "LabelsBySet": {"whole": [("depends-on-hash-order", None)]},
        "Unseeded": {"whole": [("noise", None)]},
    },
    "graph.py": {
        "Graph": {
            "saver-over-trainable": [
                ("moving-statistics-lost", OMITTED),
                ("shadows-lost", OMITTED),
                ("slots-lost", OMITTED),
                ("step-lost", OMITTED),
            ],
            "statistics-not-saved": [("moving-statistics-lost", OMITTED)],
            "statistics-not-asked-for": [("moving-statistics-lost", NOT_APPLIED)],
            "statistics-initialised": [("moving-statistics-lost", OVERWRITTEN)],
            "averages-as-weights": [("shadows-in-weights", None), ("shadows-lost", NOT_APPLIED)],
            "averages-not-saved": [("shadows-not-in-checkpoint", None)],
            "shadows-not-saved": [("shadows-lost", OMITTED)],
            "slots-not-saved": [("slots-lost", OMITTED)],
            "step-not-saved": [("step-lost", OMITTED)],
            "another-name": [("keys-not-in-checkpoint", None)],
            "weights-by-position": [("weights-swapped", None)],
            "slots-by-position": [("slots-swapped", None)],
            "initialised-after": [("initialised-again", OVERWRITTEN)],
            "state-file-lost": [("nothing-restored", None)],
            "truncated": [("checkpoint-damaged", None)],
            "older": [("older-checkpoint", None)],
            "other-rate": [("learning-rate-differs", None)],
            "other-shape": [("resumed-run-raised", None)],
        },
        "NoUpdates": {"whole": [("statistics-never-move", "never live")]},
        "CountsItself": {"whole": [("python-state-lost", None)]},
        "Stream": {"whole": [("generators-restarted", None)]},
        "StreamSeededFromOutside": {"whole": [("generators-reseeded", None)]},
        "FeaturesBySet": {"whole": [("depends-on-hash-order", None)]},
        "OtherSettings": {"whole": [("hyperparameters-differ", OMITTED)]},
    },
    "fit.py": {
        "ByHand": {
            "fresh-weights": SLOTS_AND_STEP,
            "compiling-again": SLOTS_AND_STEP,
            "other-rate": [("learning-rate-differs", None)],
            "other-setting": [("hyperparameters-differ", None)],
            "wrong-epoch": [("wrong-first-step", None)],
            "frozen": [("mode-differs", None)],
            "one-layer-left-out": [("weights-lost", None)],
            "through-float16": [("precision-lost", None)],
            "truncated": [("checkpoint-damaged", None)],
        },
        "WithDropout": {"keras": [("generators-reseeded", OMITTED)], "checkpoint": [("generators-restarted", OMITTED)]},
        "StateOfItsOwn": {"keras": [("state-lost", None)]},
        "MidEpoch": {"backup": [("wrong-first-step", None)]},
        "SwapFirst": {"backup": [("shadows-in-weights", None)]},
        "SwapLast": {"backup": [("rounding", None)]},
        "Plateau": {"keras": [("python-state-lost", None)]},
        "CountsItself": {"keras": [("python-state-lost", None)]},
        "Reshuffled": {"backup": [("data-order", None)]},
        "LabelsBySet": {"keras": [("depends-on-hash-order", None)]},
        "ScaleBegunAgain": {"inner-optimizer": [("loss-scale-lost", OMITTED)]},
        "TwoReplicas": {"weights-built": [("replicas-lost", None)]},
        "BestOnly": {"keras": [("python-state-lost", None)]},
    },
}

# Pairs of independent defects, by their two names; where a job is made of two, by its own.
PAIRS: dict[str, dict[str, list[str]]] = held_out.PAIRS | {
    "loop.py": {
        "Loop": [
            "statistics-left-out-and-iterator-left-out",
            "slots-exchanged-and-dropout-seed-left-out",
            "through-bfloat16-and-batch-taken",
            "shadows-left-out-and-iterations-left-out",
            "generator-reseeded-and-accumulators-left-out",
            "step-left-out-and-batch-taken",
            "other-setting-and-statistics-initialised",
        ],
    },
    "graph.py": {
        "Graph": [
            "statistics-not-asked-for-and-other-rate",
            "slots-by-position-and-statistics-initialised",
            "shadows-not-saved-and-other-rate",
        ],
    },
    "fit.py": {"ByHand": ["through-float16-and-other-rate", "other-setting-and-wrong-epoch"]},
}
PAIRED_JOBS: dict[str, dict[str, dict[str, Causes]]] = held_out.PAIRED_JOBS | {
    "fit.py": {"DropoutAndPlateau": {"keras": [("generators-reseeded", OMITTED), ("python-state-lost", None)]}},
}

CLEAN: dict[str, dict[str, dict[str, Mapping[str, Any]]]] = held_out.CLEAN | {
    "loop.py": {
        "Loop": {"whole": {}, "other-rate": {"allow": ["learning-rate-differs"]}},
        "Deferred": {"whole": {}},
        "Renamed": {"whole": {}},
        "AtTheEndOfAnEpoch": {"whole": {}},
        "Jitters": {"whole": {"repeat": 3}},
    },
    "graph.py": {
        "Graph": {"whole": {}},
        "TrainableCollection": {"trainable": {}},
        "Recomputed": {"without-step": {}},
        "AtTheEndOfAnEpoch": {"whole": {}},
    },
    "fit.py": {
        "ByHand": {"whole": {}, "built-weights": {}, "renamed-layers": {}},
        "TwoReplicasTogether": {"weights-built": {}},
        "SwapLast": {"backup": {"rtol": 1e-3, "atol": 1e-5}},
    },
}


def planted() -> list[Planted]:
    """Return all that is planted."""
    return [*_defects(), *_pairs(), *_clean()]


def _defects() -> Iterator[Planted]:
    for module, jobs in DEFECTS.items():
        for job, restores in jobs.items():
            for restore, causes in restores.items():
                yield Planted(module, job, restore, "defect", tuple(causes))


def _pairs() -> Iterator[Planted]:
    for module, jobs in PAIRS.items():
        for job, names in jobs.items():
            for name in names:
                one, _, other = name.partition("-and-")
                causes = (*DEFECTS[module][job][one], *DEFECTS[module][job][other])
                yield Planted(module, job, name, "pair", causes)
    for module, paired in PAIRED_JOBS.items():
        for job, restores in paired.items():
            for restore, found in restores.items():
                yield Planted(module, job, restore, "pair", tuple(found))


def _clean() -> Iterator[Planted]:
    for module, jobs in CLEAN.items():
        for job, restores in jobs.items():
            for restore, settings in restores.items():
                yield Planted(module, job, restore, "clean", (), settings)
