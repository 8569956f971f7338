"""What to do about lost state with TensorFlow: by cause, stage, and how the job saves.

`tf1` are graphs with a Saver, `tf2` loops with a `tf.train.Checkpoint`, `keras` jobs that call `fit`.
"""

from collections.abc import Mapping

from ckptcheck.diagnosis.catalogue import INITIALISED_AFTER
from ckptcheck.diagnosis.cause import Remedy, Stage

TF1, TF2, KERAS = ("tf1",), ("tf2",), ("keras",)

# What is overwritten was saved and restored, whatever saves and restores it: the catalogue's remedy is for that.
BEFORE_THE_END_OF_THE_RESTORE = (Stage.OMITTED_AT_SAVE, Stage.NOT_APPLIED_AT_LOAD, None)

ALL_VARIABLES = "Restore with a plain tf.train.Saver(): it takes every global variable, not only the trainable ones."


def _in_graphs(save: str, load: str = ALL_VARIABLES, unknown: str = "") -> tuple[Remedy, ...]:
    return (
        Remedy(save, TF1, (Stage.OMITTED_AT_SAVE,)),
        Remedy(load, TF1, (Stage.NOT_APPLIED_AT_LOAD,)),
        Remedy(INITIALISED_AFTER, TF1, (Stage.OVERWRITTEN_AFTER_LOAD,)),
        Remedy(unknown or f"{save} {load}", TF1),
    )


def _in_loops(text: str) -> Remedy:
    return Remedy(text, TF2, BEFORE_THE_END_OF_THE_RESTORE)


def _in_fit(text: str) -> Remedy:
    return Remedy(text, KERAS, BEFORE_THE_END_OF_THE_RESTORE)


# A tf.train.Checkpoint holds what its objects lead to, and nothing else.
TRACKED = _in_loops(
    "Pass it to tf.train.Checkpoint(…), or make it an attribute of an object that is passed: plain Python lists, dictionaries "
    "and objects outside do not lead to their layers and variables. Restore with the same objects; "
    "checkpoint.restore(…).assert_consumed() after the first step names what was left over."
)
WHOLE_MODEL = _in_fit(
    "Save and load the whole model, model.save('model.keras') and keras.models.load_model, or weights and optimizer together "
    "in a tf.train.Checkpoint(model=model, optimizer=model.optimizer)."
)
BUILT_FIRST = Remedy(
    "The checkpoint holds them, but they were made after the restore, or hang from something else than when they were saved. "
    "Build the model before checkpoint.restore(…): call it once on a batch of the right shape.",
    TF2,
    (Stage.NOT_APPLIED_AT_LOAD,),
)
TRACKED_OR_WHOLE = (BUILT_FIRST, TRACKED, WHOLE_MODEL)

# Of a generator that is no state, only what it draws is seen.
HIDDEN_GENERATOR = (
    "No tf.train.Saver() holds the state of an operation that has a seed, or of a generator of NumPy. Draw by "
    "operations whose seed follows from the global step (tf.random.stateless_uniform, numpy.random.default_rng((seed, "
    "step))), or save the generator's state beside the checkpoint."
)
GENERATORS = (
    _in_fit(
        "No file of Keras holds the state of seed generators. Save it in a tf.train.Checkpoint of your "
        "own, tf.train.Checkpoint(model=model, optimizer=model.optimizer, seed=layer.seed_generator.state), or "
        "accept that random layers draw anew."
    ),
    _in_loops(
        "Pass the generator to tf.train.Checkpoint(…), of a Keras layer its layer.seed_generator.state; "
        "or draw with stateless operations whose seed follows from the step."
    ),
)
DATA = (
    Remedy(
        "fit saves no position in the data, and begins an epoch with its first batch. Save at the end of "
        "epochs only (short ones, by steps_per_epoch), and let the order of an epoch's batches follow from its number.",
        KERAS,
    ),
    Remedy(
        "Pass the iterator to tf.train.Checkpoint(…), or make the batch a function of (seed, step).",
        TF2,
    ),
)


REMEDIES: Mapping[str, tuple[Remedy, ...]] = {
    "statistics-never-move": tuple(
        Remedy(
            "Call the model with training=True in the training step; see that no layer is frozen.",
            framework,
        )
        for framework in (KERAS, TF2)
    ),
    "moving-statistics-lost": (
        *_in_graphs(
            "Save every variable: tf.train.Saver() instead of a Saver over tf.trainable_variables()."
        ),
        *TRACKED_OR_WHOLE,
    ),
    "shadows-in-weights": (
        Remedy(
            "Save while the weights are in their place: a callback that saves must come before SwapEMAWeights in the "
            "list, or SwapEMAWeights must not swap at the end of an epoch.",
            KERAS,
        ),
        Remedy(
            "Save while the weights are in their place, not while their averages are swapped in.",
            TF2,
        ),
    ),
    "shadows-lost": (
        *_in_graphs(
            "Save every variable, the shadows included: tf.train.Saver().",
            "To train on, restore with tf.train.Saver(): ema.variables_to_restore() fills the weights from the shadows "
            "and leaves the shadows themselves out.",
        ),
        *TRACKED_OR_WHOLE,
    ),
    "weights-lost": (*_in_graphs("Save every variable: tf.train.Saver()."), *TRACKED_OR_WHOLE),
    "slots-lost": (
        *_in_graphs(
            "Save the optimizer's variables too: make the Saver after the optimizer, over all global variables."
        ),
        _in_fit(
            "Load the whole model (keras.models.load_model), or make the slots before load_weights: "
            "model.optimizer.build(model.trainable_variables). Without them load_weights passes over the optimizer, with "
            "a warning at most."
        ),
        _in_loops(
            "Pass the optimizer to tf.train.Checkpoint(model=…, optimizer=…), the same object that trains."
        ),
    ),
    "loss-scale-lost": (
        *_in_graphs("Save the variables of the loss scale with the optimizer's."),
        _in_fit(
            "Load the whole model (keras.models.load_model): the LossScaleOptimizer that is compiled holds the scale."
        ),
        _in_loops(
            "Pass the LossScaleOptimizer itself to tf.train.Checkpoint(…), not the optimizer inside it."
        ),
    ),
    "accumulators-lost": (
        *_in_graphs("Save the accumulators, too, or save right after an update only."),
        _in_loops(
            "Pass the accumulators to tf.train.Checkpoint(…), or save right after an update only."
        ),
    ),
    "generators-restarted": (
        *_in_graphs("Save the state of every random generator.", unknown=HIDDEN_GENERATOR),
        *GENERATORS,
    ),
    "generators-reseeded": (
        *_in_graphs(
            "Save the state of every random generator, and seed none after the restore.",
            unknown=HIDDEN_GENERATOR,
        ),
        *GENERATORS,
    ),
    "python-state-lost": (
        Remedy(
            "Callbacks forget: keep what they remember in variables of the model (a subclass that assigns them), or use a "
            "schedule that follows from the optimizer's iterations.",
            KERAS,
        ),
    ),
    "state-lost": (
        *_in_graphs("Save every variable: tf.train.Saver()."),
        TRACKED,
        _in_fit(
            "What Keras saves in no file must be put back by a callback of your own: what callbacks remember, and the "
            "metrics of an epoch that was not over."
        ),
    ),
    "step-lost": (
        *_in_graphs(
            "Save the global step: tf.train.Saver() takes it, a Saver over the trainable variables does not."
        ),
        *TRACKED_OR_WHOLE,
    ),
    "wrong-first-step": (
        Remedy(
            "fit begins an epoch with its first step, whatever was saved in the middle of it. Save at the end of epochs "
            "only, and make them short: steps_per_epoch sets their length.",
            KERAS,
        ),
    ),
    **dict.fromkeys(("data-restarted", "data-order", "examples-lost", "batches-differ"), DATA),
    "mode-differs": (
        Remedy(
            "Set layer.trainable as it was when the checkpoint was saved, before compile.", KERAS
        ),
        Remedy(
            "Call the model with training=True in the training step, and set trainable as it was.",
            TF2,
        ),
    ),
}
