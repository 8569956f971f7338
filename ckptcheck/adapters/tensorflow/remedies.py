"""What to do about lost state with TensorFlow: by cause, stage, and the way the job saves.

`tf1` are graphs with a Saver, `tf2` loops with a `tf.train.Checkpoint`, `keras` calls of `fit`.
"""

from collections.abc import Mapping

from ckptcheck.diagnosis.catalogue import (
    ACCEPT_ROUNDING,
    INITIALISED_AFTER,
    MEASURE_THE_NOISE,
)
from ckptcheck.diagnosis.cause import Remedy, Stage

TF1, TF2, KERAS = ("tf1",), ("tf2",), ("keras",)
EVERY_STYLE = (*TF1, *TF2, *KERAS)

# Restores that take everything: their remedy cannot be to take everything.
PLAIN_SAVER = ("saver",)
WHOLE_FILE = ("keras", "model-checkpoint")
WHOLE_CHECKPOINT = ("checkpoint",)
FOLDER = ("saved-model",)
# `fit` learns the epoch from the callback that restores.
OWN_EPOCH = ("backup",)

# Overwritten state was saved and restored in any case: the catalogue has the remedy for that.
BEFORE_THE_END_OF_THE_RESTORE = (Stage.OMITTED_AT_SAVE, Stage.NOT_APPLIED_AT_LOAD, None)

EMA_FOR_EVALUATION = (
    "Restore with tf.train.Saver() to continue training. Use ema.variables_to_restore() for "
    "evaluation only."
)
EVERY_VARIABLE = "Save every variable: tf.train.Saver(), not a Saver over tf.trainable_variables()."
ALL_VARIABLES = (
    "Restore with a plain tf.train.Saver(): it takes every global variable, not only the trainable "
    "ones."
)
SAVER_LAST = (
    "Create tf.train.Saver() after all variables: it takes only those that exist at that moment."
)
SAVER_THEN_INITIALISER = f"{SAVER_LAST} Run the initialiser before the restore, never after it."


def _in_graphs(save: str, load: str = ALL_VARIABLES, unknown: str = "") -> tuple[Remedy, ...]:
    return (
        Remedy(save, TF1, (Stage.OMITTED_AT_SAVE,)),
        Remedy(SAVER_LAST, TF1, (Stage.NOT_APPLIED_AT_LOAD,), PLAIN_SAVER),
        Remedy(load, TF1, (Stage.NOT_APPLIED_AT_LOAD,)),
        Remedy(INITIALISED_AFTER, TF1, (Stage.OVERWRITTEN_AFTER_LOAD,)),
        *(() if unknown else (Remedy(SAVER_THEN_INITIALISER, TF1, restores=PLAIN_SAVER),)),
        Remedy(unknown or f"{save} {load}", TF1),
    )


def _in_loops(text: str) -> Remedy:
    return Remedy(text, TF2, BEFORE_THE_END_OF_THE_RESTORE)


def _in_fit(text: str, restores: tuple[str, ...] = ()) -> Remedy:
    return Remedy(text, KERAS, BEFORE_THE_END_OF_THE_RESTORE, restores)


# A tf.train.Checkpoint holds what its objects lead to, and nothing else.
TRACKED = _in_loops(
    "Pass the lost objects to tf.train.Checkpoint(…), or make them attributes of an object that is "
    "passed. Plain Python lists, dictionaries and outside objects do not lead to their layers and "
    "variables. Restore with the same objects; checkpoint.restore(…).assert_consumed() after the "
    "first step names what was left over."
)
ATTRIBUTES = _in_fit(
    "Make the lost variables attributes of the model or of its layers: only variables that the "
    "model tracks are saved.",
    (*WHOLE_FILE, *WHOLE_CHECKPOINT),
)
NOT_A_FOLDER = _in_fit(
    "Save the model with model.save('model.h5'): load_model does not bring the optimizer back from "
    "a SavedModel. Or save a tf.train.Checkpoint(model=model, optimizer=model.optimizer).",
    FOLDER,
)
WHOLE_MODEL = _in_fit(
    "Save the whole model with model.save('model.keras') and load it with keras.models.load_model. "
    "Or save weights and optimizer in one tf.train.Checkpoint(model=model, "
    "optimizer=model.optimizer)."
)
BUILT_FIRST = Remedy(
    "Build the model before checkpoint.restore(…): call it once on a batch of the right shape. The "
    "checkpoint holds the lost variables, but they were created after the restore, or belong to a "
    "different object than when they were saved.",
    TF2,
    (Stage.NOT_APPLIED_AT_LOAD,),
)
TRACKED_OR_WHOLE = (BUILT_FIRST, TRACKED, ATTRIBUTES, WHOLE_MODEL)

# A generator that is not part of the state shows only by what it draws.
HIDDEN_GENERATOR = (
    "Draw with operations whose seed follows from the global step: tf.random.stateless_uniform, or "
    "numpy.random.default_rng((seed, step)). Or save the generator's state beside the checkpoint. "
    "No tf.train.Saver() holds the state of a seeded operation or of a NumPy generator."
)
GENERATORS = (
    _in_fit(
        "Save the state of each seed generator in a tf.train.Checkpoint(model=model, "
        "optimizer=model.optimizer, seed=layer.seed_generator.state). Some layers call their "
        "generator layer.generator. No file of Keras holds its state. Or accept that random layers "
        "draw different numbers."
    ),
    _in_loops(
        "Pass the generator to tf.train.Checkpoint(…); of a Keras layer, pass "
        "layer.seed_generator.state or layer.generator.state. Or draw with stateless operations "
        "whose seed follows from the step."
    ),
)
DATA = (
    Remedy(
        "Save only at the end of epochs, keep epochs short with steps_per_epoch, and derive the "
        "order of an epoch's batches from its number. fit saves no position in the data: it starts "
        "each epoch with the first batch.",
        KERAS,
    ),
    Remedy(
        "Pass the iterator to tf.train.Checkpoint(…), or make each batch a function of (seed, "
        "step).",
        TF2,
    ),
)


SHORT_EPOCHS = (
    "Save only at the end of epochs, and keep epochs short with steps_per_epoch. fit starts an "
    "epoch with its first step, even if the save was in the middle of it."
)


REMEDIES: Mapping[str, tuple[Remedy, ...]] = {
    "noise": (
        Remedy(
            "Seed every random generator, and call "
            "tf.config.experimental.enable_op_determinism()." + MEASURE_THE_NOISE,
            EVERY_STYLE,
        ),
    ),
    "not-finite": (
        Remedy(
            "Go back to a checkpoint without NaN or infinity. Check tensors before each save with "
            "tf.debugging.check_numerics(tensor, message).",
            EVERY_STYLE,
        ),
    ),
    "rounding": (
        Remedy(
            "Copy values. SwapEMAWeights adds and subtracts them, which rounds." + ACCEPT_ROUNDING,
            KERAS,
        ),
    ),
    "weights-scaled": (
        Remedy(
            "Create the optimizer's variables with optimizer.build(weights): run no step and apply "
            "no weight decay during the restore.",
            (*TF2, *KERAS),
        ),
    ),
    "statistics-never-move": (
        Remedy(
            "Call the model with training=True in the training step, and freeze no layer.",
            (*KERAS, *TF2),
        ),
    ),
    "moving-statistics-lost": (*_in_graphs(EVERY_VARIABLE), *TRACKED_OR_WHOLE),
    "shadows-in-weights": (
        Remedy(
            "Save the trained weights, not the averages that are swapped in for evaluation.",
            TF1,
            restores=PLAIN_SAVER,
        ),
        Remedy(EMA_FOR_EVALUATION, TF1),
        Remedy(
            "List the callback that saves before SwapEMAWeights, or leave out its argument "
            "swap_on_epoch.",
            KERAS,
        ),
        Remedy(
            "Save before the averages are swapped into the weights, or after the swap back.", TF2
        ),
    ),
    "shadows-lost": (
        *_in_graphs(
            "Save every variable, the shadow variables included: tf.train.Saver().",
            EMA_FOR_EVALUATION,
        ),
        *TRACKED_OR_WHOLE,
    ),
    "weights-lost": (*_in_graphs(EVERY_VARIABLE), *TRACKED_OR_WHOLE),
    "slots-lost": (
        *_in_graphs(
            "Save the optimizer's variables, too: create tf.train.Saver() after "
            "optimizer.minimize(…)."
        ),
        NOT_A_FOLDER,
        _in_fit(
            "Compile the model before model.save(…), and load it without compile=False: the file "
            "then holds the optimizer. In tf_keras, a .keras file holds no legacy optimizer, and "
            "no file all of Nadam: save a tf.train.Checkpoint(model=model, "
            "optimizer=model.optimizer).",
            WHOLE_FILE,
        ),
        _in_fit(
            "Pass the optimizer that trains: tf.train.Checkpoint(model=model, "
            "optimizer=model.optimizer).",
            WHOLE_CHECKPOINT,
        ),
        _in_fit(
            "Load the whole model with keras.models.load_model, or create the slots before "
            "load_weights: model.optimizer.build(model.trainable_variables). Without slots, "
            "load_weights skips the optimizer, with a warning at most."
        ),
        _in_loops("Pass the optimizer that trains: tf.train.Checkpoint(model=…, optimizer=…)."),
    ),
    "loss-scale-lost": (
        *_in_graphs("Save the variables of the loss scale with those of the optimizer."),
        _in_fit(
            "Compile the model with the LossScaleOptimizer before model.save(…), and load it "
            "without compile=False.",
            WHOLE_FILE,
        ),
        _in_fit(
            "Load the whole model with keras.models.load_model: its compiled LossScaleOptimizer "
            "holds the scale."
        ),
        _in_loops(
            "Pass the LossScaleOptimizer itself to tf.train.Checkpoint(…), not the optimizer "
            "inside it."
        ),
    ),
    "accumulators-lost": (
        *_in_graphs("Save the accumulators, too, or save only right after an update."),
        _in_loops(
            "Pass the accumulators to tf.train.Checkpoint(…), or save only right after an update."
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
            "Keep what a callback remembers in variables of the model, assigned by a subclass of "
            "the callback. Or use a schedule that follows from the optimizer's iterations.",
            KERAS,
        ),
    ),
    "state-lost": (
        *_in_graphs(EVERY_VARIABLE),
        TRACKED,
        _in_fit(
            "Save and restore this state in a callback of your own: no file of Keras holds what "
            "callbacks remember, or the metrics of an unfinished epoch."
        ),
    ),
    "step-lost": (
        *_in_graphs(
            "Save the global step: tf.train.Saver() takes it, a Saver over the trainable variables "
            "does not."
        ),
        NOT_A_FOLDER,
        *TRACKED_OR_WHOLE,
    ),
    "wrong-first-step": (
        Remedy(SHORT_EPOCHS, KERAS, restores=OWN_EPOCH),
        Remedy(f"Pass initial_epoch to model.fit. {SHORT_EPOCHS}", KERAS),
    ),
    **dict.fromkeys(("data-restarted", "data-order", "examples-lost", "batches-differ"), DATA),
    "mode-differs": (
        Remedy(
            "Set layer.trainable as it was at the save, before model.compile(…).",
            KERAS,
        ),
        Remedy(
            "Call the model with training=True in the training step, and set layer.trainable as it "
            "was at the save.",
            TF2,
        ),
    ),
}
