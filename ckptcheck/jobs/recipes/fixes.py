"""Fixes: for a cause, a recipe that shows it, its fixed twin, and the lines that differ.

`ckptcheck explain CAUSE` prints these lines; the report cards run both recipes.
"""

from collections.abc import Mapping

from ckptcheck.job.shipped import Fix

_BUILT = Fix("keras/plain × weights", "keras/plain × weights-built", ("Plain.restore",))
_SEEDS = ("Dropout.checkpoint_with_seeds", "Dropout.save", "Dropout.restore")
_COPIED = ("SwapByCopy", "EmaSwapCopied.fit")
_IN_LIST = Fix(
    "tf2/layers-in-list × in-list",
    "tf2/layers-in-list × passed",
    ("Loop.checkpoint_of", "LayersInList.passed"),
)
_UNBUILT = Fix("tf2/unbuilt × not-built", "tf2/unbuilt × built-first", ("Unbuilt.restore",))


def _passed(recipe: str, broken: str, fixed: str, name: str) -> Fix:
    """Return the fix of a recipe that passes more objects to its checkpoint."""
    return Fix(
        f"tf2/{recipe} × {broken}",
        f"tf2/{recipe} × {fixed}",
        ("Loop.checkpoint_of", f"{name}.passed"),
    )


def _script(recipe: str, *shows: str) -> Fix:
    """Return the fix of a script: these functions and classes of it."""
    return Fix(f"{recipe} × restart", f"{recipe}-fixed × restart", shows)


FIXES: Mapping[str, tuple[Fix, ...]] = {
    "rounding": (Fix("keras/ema-swap-last × backup", "keras/ema-swap-copied × backup", _COPIED),),
    "moving-statistics-lost": (_UNBUILT,),
    "replicas-lost": (
        Fix(
            "keras/two-replicas × checkpoint",
            "keras/two-replicas-synchronized × checkpoint",
            ("Plain.layers", "TwoReplicasSynchronized"),
        ),
    ),
    "shadows-in-weights": (
        Fix("keras/ema-swap-first × backup", "keras/ema-swap-copied × backup", _COPIED),
    ),
    "shadows-lost": (
        Fix("keras/ema × weights", "keras/ema × weights-built", ("Plain.restore",)),
        _passed("ema", "without-ema", "with-shadows", "Ema"),
        _script("torch/averages", "save", "load"),
        _script("transformers/averages", "Averages", "AveragesSaved"),
    ),
    "weights-lost": (_IN_LIST,),
    "slots-lost": (
        _BUILT,
        _passed("loop", "without-optimizer", "all", "Loop"),
        _script("lightning/load-from-checkpoint", "fit"),
        _script("transformers/from-pretrained", "train"),
        _script("accelerate/save-model", "save", "load"),
    ),
    "step-lost": (_BUILT, _passed("loop", "without-step", "all", "Loop")),
    "generators-restarted": (
        Fix("keras/dropout × checkpoint", "keras/dropout × checkpoint-with-seeds", _SEEDS),
        _passed("generator", "without-generator", "with-generator", "Generator"),
        _script("torch/shuffle", "save", "load"),
        _script("lightning/dropout", "Generators"),
        _script("lightning/shuffle", "loader_of"),
    ),
    "generators-reseeded": (
        Fix("keras/dropout × keras", "keras/dropout × checkpoint-with-seeds", _SEEDS),
    ),
    "python-state-lost": (
        Fix(
            "keras/plateau × keras",
            "keras/plateau-saved × keras",
            ("Memory", "PlateauInVariables", "PlateauSaved"),
        ),
        Fix(
            "keras/early-stopping × keras",
            "keras/early-stopping-saved × keras",
            ("EarlyStoppingKept", "EarlyStoppingSaved"),
        ),
        Fix("keras/best × keras", "keras/best-kept × keras", ("BestKept",)),
    ),
    "wrong-first-step": (
        Fix(
            "keras/mid-epoch × backup",
            "keras/short-epochs × backup",
            ("HalfByEpoch", "OrderByEpoch.fit", "ShortEpochs.data"),
        ),
    ),
    "data-restarted": (
        _passed("loop", "without-iterator", "all", "Loop"),
        _script("torch/mid-epoch", "batches"),
    ),
    "learning-rate-differs": (_script("torch/scheduler-last", "load", "warm_up"),),
    "loss-scale-lost": (_script("torch/grad-scaler", "save", "load"),),
    "precision-lost": (_script("torch/bfloat16", "load"),),
    "state-lost": (_script("torch/buffer", "Normalize"),),
    "data-order": (
        Fix(
            "keras/tf-data × backup",
            "keras/order-by-epoch × backup",
            ("ByEpoch", "OrderByEpoch.fit"),
        ),
    ),
}
