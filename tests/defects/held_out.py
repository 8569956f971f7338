"""What is planted in the jobs of `images.py` and `files.py`, see `expected.py`.

These jobs, and what is expected of them, were written by somebody who knew the sentences of the catalogue and none of the
code that looks for causes: they show whether causes follow from evidence, and not from what the other jobs happen to be like.
"""

from collections.abc import Mapping
from typing import Any

OMITTED, NOT_APPLIED, OVERWRITTEN, NEVER = "omitted at save", "not applied at load", "overwritten after load", "never live"

Causes = list[tuple[str, str | None]]

SLOTS_AND_STEP: Causes = [("slots-lost", None), ("step-lost", None)]
RESTARTED: Causes = [("generators-restarted", OMITTED)]

DEFECTS: dict[str, dict[str, dict[str, Causes]]] = {
    "images.py": {
        "Images": {
            "saver-over-trainables": [
                ("moving-statistics-lost", OMITTED),
                ("shadows-lost", OMITTED),
                ("slots-lost", OMITTED),
                ("step-lost", OMITTED),
            ],
            "statistics-not-saved": [("moving-statistics-lost", OMITTED)],
            "statistics-not-asked-for": [("moving-statistics-lost", NOT_APPLIED)],
            "statistics-initialised": [("moving-statistics-lost", OVERWRITTEN)],
            "averages-for-training": [("shadows-in-weights", None), ("shadows-lost", NOT_APPLIED)],
            "averages-not-saved": [("shadows-not-in-checkpoint", None)],
            "shadows-not-saved": [("shadows-lost", OMITTED)],
            "slots-not-saved": [("slots-lost", OMITTED)],
            "slots-exchanged": [("slots-swapped", None)],
            "step-not-saved": [("step-lost", OMITTED)],
            "renamed": [("keys-not-in-checkpoint", None)],
            "initialised-after": [("initialised-again", OVERWRITTEN)],
            "state-file-missing": [("nothing-restored", None)],
            "older": [("older-checkpoint", None)],
            "torn": [("checkpoint-damaged", None)],
            "other-rate": [("learning-rate-differs", None)],
            "masks-restart": [("generators-restarted", None)],
            "masks-reseeded": [("generators-reseeded", None)],
        },
        "NoUpdates": {"whole": [("statistics-never-move", NEVER)]},
        "NeverAveraged": {"whole": [("shadows-never-move", NEVER)]},
        "SwapsForSaving": {"whole": [("saving-changes-the-run", None)]},
        "Decays": {"whole": [("python-state-lost", None)]},
        "CountsEpochs": {"whole": [("python-state-lost", None)]},
        "WaitsForLoss": {"whole": [("python-state-lost", None)]},
        "ByOpSeed": {"whole": [("generators-restarted", None)]},
        "ByClock": {"whole": [("generators-reseeded", None)]},
        "Renamed": {"whole": [("keys-not-in-checkpoint", None)]},
        "InAnotherOrder": {"whole": [("weights-swapped", None)]},
        "LabelsBySet": {"whole": [("depends-on-hash-order", None)]},
    },
    "files.py": {
        "Files": {
            "fresh-weights": SLOTS_AND_STEP,
            "compiling-again": SLOTS_AND_STEP,
            "other-rate": [("learning-rate-differs", None)],
            "other-setting": [("hyperparameters-differ", None)],
            "wrong-epoch": [("wrong-first-step", None)],
            "frozen": [("mode-differs", None)],
            "branches-exchanged": [("weights-swapped", None)],
            "skip-mismatch": [("weights-lost", None)],
            "one-layer-by-hand": [("weights-lost", None)],
            "half": [("precision-lost", None)],
            "torn": [("checkpoint-damaged", None)],
            "last-by-name": [("older-checkpoint", None)],
        },
        "Dropout": {"keras": RESTARTED, "weights-built": RESTARTED, "checkpoint": RESTARTED},
        "SeededDropout": {"keras": RESTARTED, "weights-built": RESTARTED, "checkpoint": RESTARTED},
        "UnknownToKeras": {"keras": [("state-lost", OMITTED)]},
        "MidEpoch": {"backup": [("wrong-first-step", None)]},
        "SwapFirst": {"backup": [("shadows-in-weights", None)]},
        "Plateau": {"keras": [("python-state-lost", None)]},
        "CountsSteps": {"keras": [("python-state-lost", None)]},
        "Reshuffled": {"backup": [("data-order", None)]},
        "LabelsBySet": {"keras": [("depends-on-hash-order", None)]},
        "HalfPrecision": {"compiled-with-inner": [("loss-scale-lost", None)]},
    },
}

PAIRS: dict[str, dict[str, list[str]]] = {
    "images.py": {
        "Images": [
            "statistics-not-asked-for-and-masks-restart",
            "slots-exchanged-and-other-rate",
            "shadows-not-saved-and-masks-reseeded",
            "averages-for-training-and-statistics-initialised",
        ]
    },
    "files.py": {"Files": ["half-and-wrong-epoch", "other-setting-and-frozen", "one-layer-by-hand-and-other-rate"]},
}
PAIRED_JOBS: dict[str, dict[str, dict[str, Causes]]] = {
    "files.py": {"DropoutAndSteps": {"keras": [("generators-restarted", OMITTED), ("python-state-lost", None)]}},
}

CLEAN: dict[str, dict[str, dict[str, Mapping[str, Any]]]] = {
    "images.py": {
        "Images": {"whole": {}, "recomputed": {}},
        "TrainableCollection": {"trainable": {}},
        "MasksByStep": {"whole": {}},
    },
    "files.py": {
        "Files": {"whole": {}, "built-weights": {}, "renamed-layers": {}},
        "HalfPrecision": {"keras": {}},
    },
}
