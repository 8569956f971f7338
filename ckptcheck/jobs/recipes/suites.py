"""The suites: recipes to copy, and the outcome of each restore. Imports no framework.

The recipe keras/tf-data is the class `TfData` in `keras.py` beside this file, and so on.
"""

from collections.abc import Mapping

from ckptcheck.job.shipped import ShippedJob
from ckptcheck.jobs.options import RecipeOptions
from ckptcheck.outcomes import DIVERGED as D
from ckptcheck.outcomes import RECOVERED as R

# Summary of a recipe, and the outcome of each of its restores.
KERAS = {
    "plain": (
        "Convolution, batch norm, Adam; batches in a fixed order. Six ways to save after an epoch.",
        {
            "keras": R,
            "weights": D,
            "weights-built": R,
            "checkpoint": R,
            "backup": R,
            "model-checkpoint": R,
        },
    ),
    "dropout": (
        "The same with Dropout, whose seed state is in no format. Fixed: save it in a Checkpoint.",
        {"keras": D, "weights": D, "checkpoint": D, "backup": D, "checkpoint-with-seeds": R},
    ),
    "mid-epoch": (
        "BackupAndRestore(save_freq=4): saved within an epoch, which then starts again.",
        {"backup": D},
    ),
    "short-epochs": (
        "Fixed: epochs of 4 steps with batches chosen by epoch number, saved after each epoch.",
        {"keras": R, "backup": R},
    ),
    "shuffle": (
        "fit(x, y) shuffles by default; keras.utils.set_random_seed gives every epoch the same "
        "order.",
        {"backup": R, "keras": R},
    ),
    "tf-data": (
        "fit(dataset.shuffle(…, seed=1)): a new order in each epoch, and the first again after "
        "a restart.",
        {"backup": D},
    ),
    "tf-data-one-order": (
        "Fixed: shuffle(…, seed=1, reshuffle_each_iteration=False), one order for all epochs.",
        {"backup": R},
    ),
    "order-by-epoch": (
        "Fixed: a PyDataset whose order follows from the epoch number, in one call of fit.",
        {"keras": R, "backup": R},
    ),
    "ema": (
        "Adam(use_ema=True): the moving averages are variables of the optimizer.",
        {"keras": R, "weights": D, "weights-built": R, "checkpoint": R, "backup": R},
    ),
    "ema-swap-first": (
        "callbacks=[SwapEMAWeights(swap_on_epoch=True), BackupAndRestore(…)]: the backup holds "
        "the moving averages as weights.",
        {"backup": D},
    ),
    "ema-swap-last": (
        "callbacks=[BackupAndRestore(…), SwapEMAWeights(swap_on_epoch=True)]: the backup is right, "
        "but each swap rounds the weights that the control continues with.",
        {"backup": D},
    ),
    "ema-swap-copied": (
        "Fixed: the backup first, then a custom callback that swaps by copying.",
        {"backup": R},
    ),
    "plateau": (
        "ReduceLROnPlateau: its best value and its waiting time are in no file.",
        {"backup": D, "keras": D},
    ),
    "plateau-saved": (
        "Fixed: a subclass keeps its state in variables of the model.",
        {"keras": R},
    ),
    "early-stopping": (
        "EarlyStopping(restore_best_weights=True): how long it has waited, and its best value and "
        "weights, are in no file.",
        {"keras": D, "backup": D},
    ),
    "early-stopping-saved": (
        "Fixed: a subclass keeps all of it in a file of its own.",
        {"keras": R, "backup": R},
    ),
    "best": (
        "ModelCheckpoint(save_best_only=True): the best value so far is in no file.",
        {"keras": D},
    ),
    "best-kept": (
        "Fixed: it is saved, and passed as initial_value_threshold.",
        {"keras": R},
    ),
    "schedule": (
        "Adam(CosineDecay(…)): the schedule follows from the optimizer's iterations.",
        {"keras": R, "weights": D, "checkpoint": R},
    ),
    "two-replicas": (
        "MirroredStrategy on two devices: each replica has its own moving means and variances; "
        "one replica's are saved.",
        {"weights-built": D, "checkpoint": D},
    ),
    "two-replicas-synchronized": (
        "Fixed: BatchNormalization(synchronized=True).",
        {"weights-built": R, "checkpoint": R},
    ),
}
TF2 = {
    "loop": (
        "A custom loop: objects left out of tf.train.Checkpoint(…) are not restored.",
        {"all": R, "without-optimizer": D, "without-iterator": D, "without-step": D},
    ),
    "unbuilt": (
        "A Keras model restored before it is built: building it does not fill its layers. "
        "Fixed: build it first.",
        {"not-built": D, "built-first": R},
    ),
    "layers-in-list": (
        "A keras.Model with its layers in a list: tf.train.Checkpoint(model=…) saves none of them. "
        "Fixed: pass each layer.",
        {"in-list": D, "passed": R},
    ),
    "ema": (
        "tf.train.ExponentialMovingAverage is not trackable. Fixed: pass its shadow variables.",
        {"without-ema": D, "with-shadows": R},
    ),
    "generator": (
        "tf.random.Generator outside the checkpoint. Fixed: pass it.",
        {"without-generator": D, "with-generator": R},
    ),
    "dropout": (
        "Keras' Dropout in tf.train.Checkpoint(model=…): its seed state is not saved. "
        "Fixed: pass it.",
        {"without-seed": D, "with-seed": R},
    ),
}


def _suite(
    module: str, recipes: Mapping[str, tuple[str, Mapping[str, str]]]
) -> tuple[ShippedJob, ...]:
    targets = {
        name: f"ckptcheck.jobs.recipes.{module}:{name.title().replace('-', '')}" for name in recipes
    }
    return tuple(
        ShippedJob(
            f"{module}/{name}", targets[name], summary, RecipeOptions, expected, tuple(expected)
        )
        for name, (summary, expected) in recipes.items()
    )


SUITES = {"keras": _suite("keras", KERAS), "tf2": _suite("tf2", TF2)}
