"""The report cards: recipes that people copy, and what each of them does on the installed versions. No framework is loaded."""

from collections.abc import Mapping

from ckptcheck.job.shipped import ShippedJob
from ckptcheck.jobs.options import RecipeOptions


def _recipe(name: str, target: str, summary: str, **expected: str) -> ShippedJob:
    outcomes = {restore.replace("_", "-"): outcome for restore, outcome in expected.items()}
    return ShippedJob(name, f"ckptcheck.jobs.recipes.{target}", summary, RecipeOptions, outcomes, tuple(outcomes))


R, D = "recovered", "diverged"

KERAS = (
    _recipe(
        "keras/plain",
        "keras:Plain",
        "Convolution, batch norm, Adam; batches in a fixed order. Each way to save at the end of an epoch.",
        keras=R,
        weights=D,
        weights_built=R,
        checkpoint=R,
        backup=R,
        model_checkpoint=R,
    ),
    _recipe(
        "keras/dropout",
        "keras:WithDropout",
        "The same with Dropout, whose seed state is in none of the formats; mended by saving it in a Checkpoint.",
        keras=D,
        weights=D,
        checkpoint=D,
        backup=D,
        checkpoint_with_seeds=R,
    ),
    _recipe(
        "keras/mid-epoch",
        "keras:MidEpoch",
        "BackupAndRestore(save_freq=4): saved in the middle of an epoch, which is then begun again.",
        backup=D,
    ),
    _recipe(
        "keras/short-epochs",
        "keras:ShortEpochs",
        "Mended: epochs of 4 steps, each with the batches of its number, saved at their ends.",
        keras=R,
    ),
    _recipe(
        "keras/shuffle",
        "keras:Shuffled",
        "fit(x, y), which shuffles by default; with keras.utils.set_random_seed each epoch has the same order.",
        backup=R,
        keras=R,
    ),
    _recipe(
        "keras/tf-data",
        "keras:TfData",
        "fit(dataset.shuffle(…, seed=1)): the seed gives a new order in each epoch, and the first one again after a restart.",
        backup=D,
    ),
    _recipe(
        "keras/tf-data-one-order",
        "keras:TfDataOneOrder",
        "Mended: shuffle(…, seed=1, reshuffle_each_iteration=False), one order for all epochs.",
        backup=R,
    ),
    _recipe(
        "keras/order-by-epoch",
        "keras:OrderByEpoch",
        "Mended: fit is called for each epoch, with a data set shuffled by the number of the epoch.",
        keras=R,
    ),
    _recipe(
        "keras/ema",
        "keras:Ema",
        "Adam(use_ema=True): the averages are variables of the optimizer.",
        keras=R,
        weights=D,
        checkpoint=R,
        backup=R,
    ),
    _recipe(
        "keras/ema-swap-first",
        "keras:SwapFirst",
        "callbacks=[SwapEMAWeights(swap_on_epoch=True), BackupAndRestore(…)]: the backup holds the averages as weights.",
        backup=D,
    ),
    _recipe(
        "keras/ema-swap-last",
        "keras:SwapLast",
        "callbacks=[BackupAndRestore(…), SwapEMAWeights(swap_on_epoch=True)]: the backup is right, but each swap rounds the "
        "weights that the control goes on with.",
        backup=D,
    ),
    _recipe(
        "keras/ema-swap-copied",
        "keras:SwapCopied",
        "Mended: the backup first, and a callback of one's own that swaps by copying.",
        backup=R,
    ),
    _recipe(
        "keras/plateau",
        "keras:Plateau",
        "ReduceLROnPlateau: how long it has waited, and for what, is in no file.",
        backup=D,
        keras=D,
    ),
    _recipe(
        "keras/plateau-saved",
        "keras:PlateauSaved",
        "Mended: a subclass keeps what it remembers in variables of the model.",
        keras=R,
    ),
    _recipe(
        "keras/schedule",
        "keras:Schedule",
        "Adam(CosineDecay(…)): the schedule follows from the optimizer's iterations.",
        keras=R,
        weights=D,
        checkpoint=R,
    ),
    _recipe(
        "keras/two-replicas",
        "keras:TwoReplicas",
        "MirroredStrategy on two devices: each replica has moving means and variances of its own, one of them is saved.",
        weights_built=D,
        checkpoint=D,
    ),
    _recipe(
        "keras/two-replicas-synchronized",
        "keras:TwoReplicasSynchronized",
        "Mended: BatchNormalization(synchronized=True).",
        weights_built=R,
        checkpoint=R,
    ),
)
TF2 = (
    _recipe(
        "tf2/loop",
        "tf2:Loop",
        "A loop of one's own; what is left out of tf.train.Checkpoint(…) is not there after a restart.",
        all=R,
        without_optimizer=D,
        without_iterator=D,
        without_step=D,
    ),
    _recipe(
        "tf2/unbuilt",
        "tf2:Unbuilt",
        "A Keras model that is restored before it is built: its layers are not filled when they are; mended: built first.",
        not_built=D,
        built_first=R,
    ),
    _recipe(
        "tf2/layers-in-list",
        "tf2:LayersInList",
        "A keras.Model with its layers in a list: tf.train.Checkpoint(model=…) saves none of them; mended: each is passed.",
        in_list=D,
        passed=R,
    ),
    _recipe(
        "tf2/ema",
        "tf2:Ema",
        "tf.train.ExponentialMovingAverage cannot be tracked; mended: its shadow variables are passed.",
        without_ema=D,
        with_shadows=R,
    ),
    _recipe(
        "tf2/generator",
        "tf2:Noise",
        "tf.random.Generator beside the checkpoint, and in it.",
        without_generator=D,
        with_generator=R,
    ),
    _recipe(
        "tf2/dropout",
        "tf2:Dropout",
        "Dropout of Keras in a tf.train.Checkpoint(model=…): its seed state is not saved; mended: it is passed.",
        without_seed=D,
        with_seed=R,
    ),
)
SUITES: Mapping[str, tuple[ShippedJob, ...]] = {"keras": KERAS, "tf2": TF2}
