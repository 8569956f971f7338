"""The report cards: recipes that people copy, and what each of them does on the installed versions. No framework is loaded.

The recipe keras/tf-data is the class `TfData` in `keras.py` beside this file, and so on.
"""

from collections.abc import Mapping

from ckptcheck.job.shipped import ShippedJob
from ckptcheck.jobs.options import RecipeOptions
from ckptcheck.outcomes import DIVERGED as D
from ckptcheck.outcomes import RECOVERED as R

# What a recipe shows, and the outcome of each of its restores.
KERAS = {
    "plain": (
        "Convolution, batch norm, Adam; batches in a fixed order. Each way to save at the end of an epoch.",
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
        "The same with Dropout, whose seed state is in none of the formats; mended by saving it in a Checkpoint.",
        {"keras": D, "weights": D, "checkpoint": D, "backup": D, "checkpoint-with-seeds": R},
    ),
    "mid-epoch": (
        "BackupAndRestore(save_freq=4): saved in the middle of an epoch, which is then begun again.",
        {"backup": D},
    ),
    "short-epochs": (
        "Mended: epochs of 4 steps, each with the batches of its number, saved at their ends.",
        {"keras": R},
    ),
    "shuffle": (
        "fit(x, y), which shuffles by default; with keras.utils.set_random_seed each epoch has the same order.",
        {"backup": R, "keras": R},
    ),
    "tf-data": (
        "fit(dataset.shuffle(…, seed=1)): the seed gives a new order in each epoch, and the first one again after a restart.",
        {"backup": D},
    ),
    "tf-data-one-order": (
        "Mended: shuffle(…, seed=1, reshuffle_each_iteration=False), one order for all epochs.",
        {"backup": R},
    ),
    "order-by-epoch": (
        "Mended: fit is called for each epoch, with a data set shuffled by the number of the epoch.",
        {"keras": R},
    ),
    "ema": (
        "Adam(use_ema=True): the averages are variables of the optimizer.",
        {"keras": R, "weights": D, "checkpoint": R, "backup": R},
    ),
    "ema-swap-first": (
        "callbacks=[SwapEMAWeights(swap_on_epoch=True), BackupAndRestore(…)]: the backup holds the averages as weights.",
        {"backup": D},
    ),
    "ema-swap-last": (
        "callbacks=[BackupAndRestore(…), SwapEMAWeights(swap_on_epoch=True)]: the backup is right, but each swap rounds the "
        "weights that the control goes on with.",
        {"backup": D},
    ),
    "ema-swap-copied": (
        "Mended: the backup first, and a callback of one's own that swaps by copying.",
        {"backup": R},
    ),
    "plateau": (
        "ReduceLROnPlateau: how long it has waited, and for what, is in no file.",
        {"backup": D, "keras": D},
    ),
    "plateau-saved": (
        "Mended: a subclass keeps what it remembers in variables of the model.",
        {"keras": R},
    ),
    "schedule": (
        "Adam(CosineDecay(…)): the schedule follows from the optimizer's iterations.",
        {"keras": R, "weights": D, "checkpoint": R},
    ),
    "two-replicas": (
        "MirroredStrategy on two devices: each replica has moving means and variances of its own, one of them is saved.",
        {"weights-built": D, "checkpoint": D},
    ),
    "two-replicas-synchronized": (
        "Mended: BatchNormalization(synchronized=True).",
        {"weights-built": R, "checkpoint": R},
    ),
}
TF2 = {
    "loop": (
        "A loop of one's own; what is left out of tf.train.Checkpoint(…) is not there after a restart.",
        {"all": R, "without-optimizer": D, "without-iterator": D, "without-step": D},
    ),
    "unbuilt": (
        "A Keras model that is restored before it is built: its layers are not filled when they are; mended: built first.",
        {"not-built": D, "built-first": R},
    ),
    "layers-in-list": (
        "A keras.Model with its layers in a list: tf.train.Checkpoint(model=…) saves none of them; mended: each is passed.",
        {"in-list": D, "passed": R},
    ),
    "ema": (
        "tf.train.ExponentialMovingAverage cannot be tracked; mended: its shadow variables are passed.",
        {"without-ema": D, "with-shadows": R},
    ),
    "generator": (
        "tf.random.Generator beside the checkpoint, and in it.",
        {"without-generator": D, "with-generator": R},
    ),
    "dropout": (
        "Dropout of Keras in a tf.train.Checkpoint(model=…): its seed state is not saved; mended: it is passed.",
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
