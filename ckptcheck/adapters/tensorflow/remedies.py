"""What to do with TensorFlow, for each cause: by stage, and by the way the job saves.

`tf1` are graphs with a Saver, `tf2` loops with a `tf.train.Checkpoint`, `keras` calls of `fit`.
Each may save files of its own instead. The first remedy that fits is used, so that those of single
restores and stages come first.
"""

from collections.abc import Mapping

from ckptcheck.adapters.tensorflow.framework import BACKUP_DELETED
from ckptcheck.diagnosis.catalogue import (
    ACCEPT_ROUNDING,
    BY_STEP,
    END_AT_ONE_STEP,
    MEASURE_THE_NOISE,
    REPLAY_BUFFER,
)
from ckptcheck.diagnosis.cause import OWN_FILES, Remedy, Stage

TF1, TF2, KERAS = ("tf1",), ("tf2",), ("keras",)
EVERY_STYLE = (*TF1, *TF2, *KERAS)

# Restores that take everything: their remedy cannot be to take everything.
PLAIN_SAVER = ("saver",)
WHOLE_FILE = ("keras", "model-checkpoint")
WHOLE_CHECKPOINT = ("checkpoint",)
BACKUP = ("backup",)
WHOLE = (*WHOLE_FILE, *WHOLE_CHECKPOINT, *BACKUP)
OWN = (OWN_FILES,)
FOLDER = ("saved-model",)

OMITTED, NOT_APPLIED = (Stage.OMITTED_AT_SAVE,), (Stage.NOT_APPLIED_AT_LOAD,)
OVERWRITTEN = (Stage.OVERWRITTEN_AFTER_LOAD,)
# Overwritten state was saved and restored in any case: its remedies are the same for all.
BEFORE_THE_END_OF_THE_RESTORE = (*OMITTED, *NOT_APPLIED, None)


# --- Lost state: where it was lost decides -----------------------------------------------------

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
INITIALISER_FIRST = (
    "Run the initialiser before the restore, never after it: "
    "session.run(tf.global_variables_initializer()), then the restore."
)
ASSIGN_NOTHING = (
    "Assign nothing to the lost tensors after the restore. Call build(…), adapt(…) and every other "
    "initialiser before it."
)

# The same for all state that was lost in files of the user's own, or overwritten.
ALWAYS = (
    Remedy(INITIALISER_FIRST, TF1, OVERWRITTEN),
    Remedy(ASSIGN_NOTHING, (*TF2, *KERAS), OVERWRITTEN),
    Remedy(
        "Write the lost variables into your file, too, np.savez(path, **{each.name: "
        "np.array(each) for each in variables}). Read them in the restore: "
        "variable.assign(file[variable.name]).",
        (*TF2, *KERAS),
        OMITTED,
        OWN,
    ),
    Remedy(
        "The checkpoint holds the lost variables, but your restore did not ask for them: "
        "variable.assign(file[variable.name]). Create them before: "
        "optimizer.build(model.trainable_variables).",
        (*TF2, *KERAS),
        NOT_APPLIED,
        OWN,
    ),
    Remedy(
        "Write the lost variables into your file, np.savez(path, **{each.name: "
        "np.array(each) for each in variables}), and assign them in the restore, "
        "variable.assign(file[variable.name]). Create them before: "
        "optimizer.build(model.trainable_variables).",
        (*TF2, *KERAS),
        (),
        OWN,
    ),
    Remedy(
        "Write the lost variables into your file, np.savez(path, **session.run(variables)), and "
        "load them in the restore: variable.load(file[name], session).",
        TF1,
        (),
        OWN,
    ),
)


def _in_graphs(save: str, load: str = ALL_VARIABLES, unknown: str = "") -> tuple[Remedy, ...]:
    return (
        Remedy(save, TF1, OMITTED),
        Remedy(SAVER_LAST, TF1, NOT_APPLIED, PLAIN_SAVER),
        Remedy(load, TF1, NOT_APPLIED),
        *(
            ()
            if unknown
            else (Remedy(f"{save} {SAVER_LAST} {INITIALISER_FIRST}", TF1, restores=PLAIN_SAVER),)
        ),
        Remedy(unknown or f"{save} {load}", TF1),
    )


def _in_loops(text: str, stages: tuple[Stage | None, ...] = ()) -> Remedy:
    return Remedy(text, TF2, stages or BEFORE_THE_END_OF_THE_RESTORE)


def _in_fit(
    text: str, restores: tuple[str, ...] = (), stages: tuple[Stage | None, ...] = ()
) -> Remedy:
    return Remedy(text, KERAS, stages or BEFORE_THE_END_OF_THE_RESTORE, restores)


# A tf.train.Checkpoint holds what its objects lead to, and nothing else.
SAME_OBJECTS = _in_loops(
    "The checkpoint holds the lost variables, but the restore did not ask for them. Restore with a "
    "tf.train.Checkpoint(…) of the same objects as at the save. Build the model before: call it "
    "once on a batch of the right shape.",
    NOT_APPLIED,
)
PASSED = (
    "Pass the lost objects to tf.train.Checkpoint(…), or make them attributes of an object that is "
    "passed. Plain Python lists, dictionaries, wrappers and outside objects do not lead to their "
    "layers and variables. Restore with the same objects; checkpoint.restore(…).assert_consumed() "
    "after the first step names what was left over."
)
TRACKED = (
    SAME_OBJECTS,
    _in_loops(f"The checkpoint holds nothing of {{holders}}. {PASSED}", OMITTED),
    _in_loops(PASSED),
)
# Keras saves what attributes lead to: the judged restore is not at fault.
ATTRIBUTES = (
    "Make them attributes: self.hidden = keras.layers.Dense(8). An attribute called `_layers` "
    "hides Keras's own: rename it. A list inside a list hides its layers from "
    "tf.train.Checkpoint(…): keep lists flat."
)
LEADS_NOWHERE = (
    _in_fit(
        "The checkpoint holds nothing of {holders}: nothing in the model leads there. "
        + ATTRIBUTES,
        stages=OMITTED,
    ),
    _in_fit(f"Nothing leads from the model to {{holders}} in the restore. {ATTRIBUTES}", WHOLE),
)
# What Keras writes itself; of a kernel, it shows as a value that no step of training had.
OF_KERAS = (*WHOLE_FILE, *BACKUP, "weights", "h5")
NO_MERGING = (
    "Save a tf.train.Checkpoint(model=model, optimizer=model.optimizer). Keras's own files hold "
    "the kernel of a layer with enable_lora with its LoRA weights merged into it: after a restore, "
    "neither is what it was."
)
LORA = Remedy(NO_MERGING, KERAS, OMITTED, OF_KERAS, ("*lora_*_a", "*lora_*_b"))
KERNEL_OF_LORA = Remedy(
    NO_MERGING, KERAS, OMITTED, OF_KERAS, ("*/kernel", "*/embeddings"), "control never had"
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
HOLDS = "The checkpoint holds the lost tensors, but the restore did not ask for them."
ASKED_FOR_LESS = _in_fit(
    f"{HOLDS} Load the whole model with keras.models.load_model(path), without compile=False.",
    stages=NOT_APPLIED,
)
WHOLE_OR_BUILT = (
    "Load the whole model with keras.models.load_model, or create the slots before load_weights: "
    "model.optimizer.build(model.trainable_variables). Without slots, load_weights skips the "
    "optimizer, with a warning at most."
)
LACKING_IN_KERAS_2 = (
    "In tf_keras, no .keras or .weights.h5 file holds a legacy optimizer, and no file all of "
    "Nadam: save a tf.train.Checkpoint(model=model, optimizer=model.optimizer)."
)
NO_OPTIMIZER_SAVED = _in_fit(
    "The checkpoint holds none of the lost variables. Save the whole model once it is compiled and "
    f"trained, model.save('model.keras'), and load it with load_model. {LACKING_IN_KERAS_2}",
    stages=OMITTED,
)
# Variables of the optimizer, with restores that take the whole model.
COMPILED_ONCE = (
    _in_fit(
        "Compile the model before it is saved, and load it without compile=False: the file then "
        "holds the optimizer. Call no model.compile(…) after the restore: it starts a new "
        f"optimizer. {LACKING_IN_KERAS_2}",
        WHOLE_FILE,
    ),
    _in_fit(
        "Checkpoint the optimizer that trains, checkpoint.optimizer = model.optimizer, in both "
        "processes. Call no model.compile(…) after it: that starts a new optimizer.",
        WHOLE_CHECKPOINT,
    ),
    _in_fit(
        "Compile the model once, before `fit`. Call no model.compile(…) in a callback: it starts a "
        "new optimizer, which the restore does not fill.",
        BACKUP,
    ),
)
OF_THE_MODEL = (*TRACKED, *LEADS_NOWHERE, ASKED_FOR_LESS, WHOLE_MODEL)
WITH_THE_OPTIMIZER = (
    NOT_A_FOLDER,
    *COMPILED_ONCE,
    NO_OPTIMIZER_SAVED,
    _in_fit(f"{HOLDS} {WHOLE_OR_BUILT}", stages=NOT_APPLIED),
    _in_fit(WHOLE_OR_BUILT),
)

# --- Generators, data, steps ---------------------------------------------------------------------

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
        "whose seed follows from the step: tf.random.stateless_uniform(shape, (seed, step))."
    ),
)
SHORT_EPOCHS = (
    "Save only at the end of epochs, and keep epochs short: model.fit(…, steps_per_epoch=100). fit "
    "starts an epoch with its first step, even if the save was in the middle of it."
)
DATA_BY_EPOCH = (
    "Derive the order from the number of the epoch: a keras.utils.PyDataset that permutes with "
    "np.random.default_rng((seed, self.epoch)), and a callback that sets its epoch in "
    "on_epoch_begin. Call fit once for all epochs: each call resets EarlyStopping and other "
    "callbacks."
)
NO_POSITION = "Save only at the end of epochs: fit saves no position in the data. "
ITERATOR = (
    "Pass the iterator to tf.train.Checkpoint(…), or make each batch a function of (seed, step): "
    "np.random.default_rng((seed, step))."
)
SAVEABLE_ITERATOR = (
    "Save the position of the iterator: tf.add_to_collection(tf.GraphKeys.SAVEABLE_OBJECTS, "
    "tf.data.experimental.make_saveable_from_iterator(iterator)) before the Saver is created. Or "
    "feed a function of (seed, step): np.random.default_rng((seed, step))."
)


def _data(in_fit: str = DATA_BY_EPOCH, further: str = "") -> tuple[Remedy, ...]:
    return (
        Remedy(BY_STEP + further, (*TF1, *TF2), restores=OWN),
        Remedy(in_fit + further, KERAS),
        Remedy(ITERATOR + further, TF2),
        Remedy(SAVEABLE_ITERATOR + further, TF1),
    )


# Of callbacks, a tensor for each attribute that changes the training.
THRESHOLD = (
    "Pass the best value to the callback again: keras.callbacks.ModelCheckpoint(path, "
    "save_best_only=True, initial_value_threshold=best). Save it beside the checkpoint: "
    "np.save(path, callback.best)."
)
STOPPING = (
    "Write `best`, `wait` and `best_epoch` of EarlyStopping to a file after each epoch, "
    "pickle.dumps(state), and set them again at the end of on_train_begin. With "
    "restore_best_weights=True, keep `best_weights`, too. List the callback before those that save."
)
PLATEAU = (
    "Keep `best`, `wait` and `cooldown_counter` of ReduceLROnPlateau in variables of the model, "
    "assigned by a subclass: layer.add_weight(shape=(3,), trainable=False). Or use a schedule that "
    "follows from the optimizer's iterations."
)
IN_VARIABLES = (
    "Keep each number that a callback remembers in a variable of the model, assigned by a subclass "
    "of the callback: layer.add_weight(shape=(), trainable=False)."
)
NEWEST_EPOCH = (
    "Load the file of the newest epoch. Sort file names by number, not by text: "
    "max(folder.glob('*.keras'), key=lambda path: int(path.stem))."
)
NEWEST_FILE = (
    "Load your newest file. Sort file names by number, not by text: max(folder.glob('*.npz'), "
    "key=lambda path: int(path.stem))."
)
LATEST = (
    "Restore the path that the state file names: tf.train.latest_checkpoint(folder). Take the step "
    "from the restored state, not from a file name."
)

REMEDIES: Mapping[str, tuple[Remedy, ...]] = {
    # --- The control itself -------------------------------------------------------------------
    "noise": (
        Remedy(
            "Seed every random generator: random.seed(0), np.random.seed(0) and "
            "tf.set_random_seed(0). Or make each batch a function of (seed, step): "
            "np.random.default_rng((seed, step))." + MEASURE_THE_NOISE,
            TF1,
        ),
        Remedy(
            "Seed every random generator with keras.utils.set_random_seed(0), and call "
            "tf.config.experimental.enable_op_determinism()." + MEASURE_THE_NOISE,
            (*TF2, *KERAS),
        ),
    ),
    "saving-changes-the-run": (
        Remedy(
            "Undo every side effect of the save: run no train op and no input op in a hook that "
            "saves, and swap averages back: session.run(swap_back).",
            TF1,
        ),
        Remedy(
            "Undo every side effect of the save: take no batch from the training data, and assign "
            "back weights that it swaps for averages: weight.assign(kept).",
            TF2,
        ),
        Remedy(
            "Undo every side effect of the callback that saves: let it take no batch from the "
            "training data, and assign back weights that it swaps for averages: "
            "weight.assign(kept).",
            KERAS,
        ),
    ),
    "statistics-never-move": (
        Remedy(
            "Run the update op after each train op, or make the train op depend on it: "
            "tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)).",
            TF1,
        ),
        Remedy(
            "Call the model with training=True in the training step, model(x, training=True), and "
            "freeze no layer.",
            TF2,
        ),
        Remedy(
            "Pass `training` on in the model's own call, self.norm(x, training=training), and "
            "freeze no layer: set layer.trainable = True before model.compile(…).",
            KERAS,
        ),
    ),
    "shadows-never-move": (
        Remedy(
            "Run ema.apply(tf.trainable_variables()) in each training step, after the update of "
            "the weights: with tf.control_dependencies([train_op]).",
            TF1,
        ),
        Remedy(
            "Call ema.apply([weight.value for weight in model.trainable_variables]) in each "
            "training step, after optimizer.apply_gradients(…).",
            TF2,
        ),
        Remedy(
            "Let the optimizer keep the averages, keras.optimizers.Adam(use_ema=True), or update "
            "yours in on_train_batch_end: average.assign(decay * average + (1 - decay) * weight).",
            KERAS,
        ),
    ),
    # --- The restore, or the run after it, raises ---------------------------------------------
    "shadows-not-in-checkpoint": (
        Remedy(
            "Ask for what was saved: np.load(path).files lists the names in a file.",
            TF1,
            restores=OWN,
        ),
        Remedy(
            "Create the averages before the Saver that saves: ema.apply(tf.trainable_variables()), "
            "then the Saver.",
            TF1,
            restores=PLAIN_SAVER,
        ),
        Remedy(
            "Restore with tf.train.Saver(): it covers every global variable, the moving means and "
            "variances included.",
            TF1,
        ),
    ),
    "keys-not-in-checkpoint": (
        Remedy(
            "Ask for what was saved: np.load(path).files lists the names in a file.",
            TF1,
            restores=OWN,
        ),
        Remedy(
            "Save and restore the same variables under the same names: `ckptcheck inspect` lists "
            "the keys of a checkpoint. Map renamed variables: saver = tf.train.Saver({key: "
            "variable}).",
            TF1,
        ),
        Remedy(
            "Build the model with the layers, names and shapes of the save: "
            "keras.layers.Dense(8, name='hidden'). `ckptcheck inspect` lists the keys of a "
            "checkpoint.",
            KERAS,
        ),
    ),
    "restore-raised": (
        Remedy(
            "Give the function a name and register it, "
            "@keras.saving.register_keras_serializable(), in place of the lambda. "
            "keras.models.load_model(path, safe_mode=False) takes a lambda, but then it finds no "
            "name that is defined outside of it.",
            KERAS,
            says="deserialization of a Python lambda",
        ),
    ),
    "resumed-run-raised": (
        Remedy(
            "Create every variable before the model is compiled: call it on a batch, model(x[:1]). "
            "A subclass without a `build` of its own creates none in model.build(shape), so that "
            "the restore skips its weights and its optimizer with a warning.",
            KERAS,
            says="Unknown variable: ",
        ),
    ),
    "nothing-restored": (
        Remedy(
            "Check that the restore reads your file, path.is_file(), and loads its values after "
            "every initialiser: variable.load(file[name], session).",
            TF1,
            restores=OWN,
        ),
        Remedy(
            "Check that saver.restore(session, path) is called, and that path is not None: "
            "tf.train.latest_checkpoint(folder). " + INITIALISER_FIRST,
            TF1,
        ),
        Remedy(
            "Check that the restore reads your file, path.is_file(), and assigns its values: "
            "variable.assign(file[variable.name]).",
            (*TF2, *KERAS),
            restores=OWN,
        ),
        Remedy(
            "Check that path is not None, path = tf.train.latest_checkpoint(folder): "
            "checkpoint.restore(None) restores nothing and raises no error. Let nothing initialise "
            "the variables after it.",
            TF2,
        ),
        Remedy(f"{BACKUP_DELETED} That is model.fit(…, epochs=EPOCHS).", KERAS, OMITTED, BACKUP),
        Remedy(
            "Train the model that the restore filled, and no new one: model.fit(…) after the "
            "restore. Check that the file exists, path.is_file(), and that nothing initialises the "
            "variables after the restore.",
            KERAS,
        ),
    ),
    "initialised-again": (
        Remedy(INITIALISER_FIRST, TF1),
        Remedy(ASSIGN_NOTHING, (*TF2, *KERAS)),
    ),
    # --- The checkpoint as a whole ------------------------------------------------------------
    "older-checkpoint": (
        Remedy(
            "Keep epochs short: model.fit(…, steps_per_epoch=100). BackupAndRestore saves at the "
            "end of each epoch, so up to one epoch is repeated. With save_freq=N it saves every N "
            "batches, but fit then starts that epoch again.",
            KERAS,
            restores=BACKUP,
        ),
        Remedy(LATEST, KERAS, restores=WHOLE_CHECKPOINT),
        Remedy(NEWEST_EPOCH, KERAS),
        Remedy(NEWEST_FILE, (*TF1, *TF2), restores=OWN),
        Remedy(LATEST, (*TF1, *TF2)),
    ),
    "updated-after-save": (
        Remedy(
            "Update this state before the save. List the callback that updates it before all that "
            "save: model.fit(…, callbacks=[updating, *callbacks]).",
            KERAS,
        ),
        Remedy(
            "Update this state before the save, variable.assign(value), not after it.",
            TF2,
        ),
        Remedy(
            "Update this state before the save: session.run(update). List the hook that "
            "updates it before the hook that saves.",
            TF1,
        ),
    ),
    "not-finite": (
        Remedy(
            "Go back to a checkpoint without NaN or infinity. Check tensors before each save with "
            "tf.debugging.check_numerics(tensor, message).",
            EVERY_STYLE,
        ),
    ),
    "precision-lost": (
        Remedy(
            "Save and restore in the dtype that training uses. In mixed precision, keep float32 "
            "variables: keras.mixed_precision.set_global_policy('mixed_bfloat16'), not 'bfloat16'.",
            (*TF2, *KERAS),
        ),
    ),
    "rounding": (
        Remedy(
            "Copy values, weight.assign(average). SwapEMAWeights adds and subtracts them, which "
            "rounds." + ACCEPT_ROUNDING,
            KERAS,
        ),
        Remedy(
            "Copy values, variable.assign(value), instead of computing them again."
            + ACCEPT_ROUNDING,
            (*TF1, *TF2),
        ),
    ),
    # --- Tensors, by kind ---------------------------------------------------------------------
    "tensors-missing": (
        Remedy(
            "Create the same variables, with the same dtypes and shapes, in both processes: "
            "tf.get_variable(name, shape, dtype).",
            TF1,
        ),
        Remedy(
            "Build the same variables, with the same dtypes and shapes, before the restore: call "
            "model(batch) once, and optimizer.build(model.trainable_variables).",
            TF2,
        ),
        Remedy(
            "Build the same variables, with the same dtypes and shapes, before the restore: "
            "model.build(input_shape).",
            KERAS,
        ),
    ),
    "moving-statistics-lost": (*ALWAYS, *_in_graphs(EVERY_VARIABLE), *OF_THE_MODEL),
    "weights-lost": (LORA, *ALWAYS, *_in_graphs(EVERY_VARIABLE), *OF_THE_MODEL),
    "statistics-restarted": (
        Remedy(
            "Keep what the update depends on in a saved variable, such as "
            "tf.get_variable('updates', initializer=0, trainable=False): a flag for the first "
            "update, a count, or the momentum.",
            TF1,
        ),
        Remedy(
            "Keep what the update depends on in a variable of the layer, self.add_weight(shape=(), "
            "trainable=False): a flag for the first update, a count, or the momentum.",
            (*TF2, *KERAS),
        ),
    ),
    "replicas-lost": (
        Remedy(
            "Give the statistics of each replica a name of their own, with "
            "tf.variable_scope(f'replica_{number}'), so that all of them are saved.",
            TF1,
        ),
        Remedy(
            "Share the statistics among replicas: "
            "keras.layers.BatchNormalization(synchronized=True) computes them over the batches of "
            "all replicas.",
            (*TF2, *KERAS),
        ),
    ),
    "shadows-in-weights": (
        Remedy(
            "Write the trained weights, session.run(weights), before averages are swapped in.",
            TF1,
            restores=OWN,
        ),
        Remedy(
            "Save the trained weights, saver.save(session, path), before averages are swapped in "
            "for evaluation.",
            TF1,
            restores=PLAIN_SAVER,
        ),
        Remedy(EMA_FOR_EVALUATION, TF1),
        Remedy(
            "List the callback that saves before keras.callbacks.SwapEMAWeights(), or leave out "
            "its argument swap_on_epoch.",
            KERAS,
        ),
        Remedy(
            "Save before the averages are swapped into the weights, or after the swap back: "
            "weight.assign(kept).",
            TF2,
        ),
    ),
    "shadows-lost": (
        *ALWAYS,
        *_in_graphs(
            "Save every variable, the shadow variables included: tf.train.Saver().",
            EMA_FOR_EVALUATION,
        ),
        SAME_OBJECTS,
        _in_loops(
            "Pass the averages to tf.train.Checkpoint(…, averages=[ema.average(value) for value in "
            "values]): tf.train.ExponentialMovingAverage itself is not tracked."
        ),
        *WITH_THE_OPTIMIZER,
    ),
    "weights-scaled": (
        Remedy(
            "Run nothing but variable.load(value, session) in the restore: no train op, and no "
            "weight decay.",
            TF1,
            restores=OWN,
        ),
        Remedy(
            "Run nothing but saver.restore(session, path) in the restore: no train op, and no "
            "weight decay.",
            TF1,
        ),
        Remedy(
            "Create the optimizer's variables with optimizer.build(weights): run no step and apply "
            "no weight decay during the restore.",
            (*TF2, *KERAS),
        ),
    ),
    "slots-swapped": (
        Remedy(
            "Give the optimizer its weights in the same order in every process: "
            "optimizer.build(sorted(weights, key=lambda weight: weight.path)), never a set.",
            (*TF2, *KERAS),
        ),
    ),
    **dict.fromkeys(
        ("weights-swapped", "tensors-swapped"),
        (
            Remedy(
                "Give each variable its own name, tf.get_variable('hidden/weights', …): numbers "
                "that TensorFlow appends follow the order of creation.",
                TF1,
            ),
            Remedy(
                "Give each layer its own name, keras.layers.Dense(8, name='hidden'), and build "
                "layers in the same order in every process, never in that of a set.",
                (*TF2, *KERAS),
            ),
        ),
    ),
    "slots-lost": (
        Remedy(
            "Make no new optimizer after the restore, and assign nothing to the variables of the "
            "restored one: optimizer = keras.optimizers.Adam(), then checkpoint.restore(path).",
            TF2,
            OVERWRITTEN,
        ),
        Remedy(
            "Make no new optimizer after the restore, and call no model.compile(…): it starts a "
            "new one. Assign nothing to the restored optimizer's variables.",
            KERAS,
            OVERWRITTEN,
        ),
        *ALWAYS,
        *_in_graphs(
            "Save the optimizer's variables, too: create tf.train.Saver() after "
            "optimizer.minimize(…)."
        ),
        SAME_OBJECTS,
        _in_loops(
            "Pass the optimizer that holds the lost state: tf.train.Checkpoint(model=…, "
            "optimizer=…). A wrapper hides its inner optimizer unless it is an attribute: pass "
            "the inner one, too, inner=…."
        ),
        *WITH_THE_OPTIMIZER,
    ),
    "loss-scale-lost": (
        *ALWAYS,
        *_in_graphs(
            "Save the variables of the loss scale with those of the optimizer: create "
            "tf.train.Saver() after both."
        ),
        *COMPILED_ONCE,
        _in_fit(
            "Load the whole model with keras.models.load_model(path): its compiled "
            "LossScaleOptimizer holds the scale."
        ),
        _in_loops(
            "Pass the LossScaleOptimizer itself to tf.train.Checkpoint(…), not the optimizer "
            "inside it."
        ),
    ),
    "accumulators-lost": (
        *ALWAYS,
        *_in_graphs(
            "Save the accumulators, too, tf.train.Saver(tf.global_variables()), or save only right "
            "after an update."
        ),
        _in_loops(
            "Pass the accumulators to tf.train.Checkpoint(…), or save only right after an update."
        ),
        *COMPILED_ONCE,
        _in_fit(
            "Let the optimizer hold the sums, keras.optimizers.Adam(gradient_accumulation_steps=4),"
            " and load the whole model with keras.models.load_model. Or save only right after an "
            "update."
        ),
    ),
    "hyperparameters-differ": (
        Remedy(
            "Compile the model with the settings of the run that saved, "
            "model.compile(keras.optimizers.Adam(**settings)). Save the settings beside the "
            "checkpoint: json.dump(settings, file).",
            KERAS,
        ),
    ),
    "generators-restarted": (
        *ALWAYS,
        *_in_graphs(
            "Save the state of every random generator: tf.train.Saver(tf.global_variables()).",
            unknown=HIDDEN_GENERATOR,
        ),
        *GENERATORS,
    ),
    "generators-reseeded": (
        *ALWAYS,
        *_in_graphs(
            "Save the state of every random generator, tf.train.Saver(tf.global_variables()), and "
            "seed none after the restore.",
            unknown=HIDDEN_GENERATOR,
        ),
        *GENERATORS,
    ),
    "python-state-lost": (
        Remedy(THRESHOLD, KERAS, tensors=("callbacks/ModelCheckpoint/best",)),
        Remedy(STOPPING, KERAS, tensors=("callbacks/EarlyStopping/*",)),
        Remedy(PLATEAU, KERAS, tensors=("callbacks/ReduceLROnPlateau/*",)),
        Remedy(IN_VARIABLES, KERAS),
        Remedy(
            "Keep this state in a variable, tf.Variable(0, trainable=False), that the restore "
            "fills, or compute it from the restored step.",
            TF2,
        ),
        Remedy(
            "Keep this state in a variable, tf.get_variable('wait', initializer=0, "
            "trainable=False), or compute it from the global step.",
            TF1,
        ),
    ),
    "state-lost": (
        KERNEL_OF_LORA,
        *ALWAYS,
        *_in_graphs(EVERY_VARIABLE),
        *TRACKED,
        _in_fit(
            "Keep this state in variables that the model tracks, layer.add_weight(…, "
            "trainable=False). Or save and restore it in a callback of your own: no file of Keras "
            "holds what callbacks remember, or the metrics of an unfinished epoch."
        ),
    ),
    "step-lost": (
        *ALWAYS,
        *_in_graphs(
            "Save the global step: tf.train.Saver() takes it, a Saver over the trainable variables "
            "does not."
        ),
        *TRACKED,
        *WITH_THE_OPTIMIZER,
    ),
    # --- Steps: data, draws, rates ------------------------------------------------------------
    "wrong-first-step": (
        Remedy(SHORT_EPOCHS, KERAS, restores=BACKUP),
        Remedy(
            "fit was called without initial_epoch. Pass the number of epochs done: model.fit(…, "
            "initial_epoch=epochs).",
            KERAS,
            NOT_APPLIED,
        ),
        Remedy(
            "Pass the number of epochs done: model.fit(…, initial_epoch=epochs). " + SHORT_EPOCHS,
            KERAS,
        ),
        Remedy(
            "Take the number of the next step from the restored state: session.run(global_step).",
            TF1,
        ),
        Remedy(
            "Take the number of the next step from the restored state: int(optimizer.iterations).",
            TF2,
        ),
    ),
    "wrong-last-step": (
        Remedy(
            "Pass the number of all epochs and of those done: model.fit(…, epochs=total, "
            "initial_epoch=epochs)." + END_AT_ONE_STEP,
            KERAS,
        ),
        Remedy(
            "Train up to a total: while int(optimizer.iterations) < total." + END_AT_ONE_STEP, TF2
        ),
        Remedy(
            "Train up to a total: while session.run(global_step) < total." + END_AT_ONE_STEP, TF1
        ),
    ),
    "data-restarted": _data(SHORT_EPOCHS),  # in the middle of an epoch
    "data-order": _data(),
    "examples-lost": _data(NO_POSITION + DATA_BY_EPOCH),
    "batches-differ": _data(further=REPLAY_BUFFER),
    "data-shifted": (
        Remedy(
            "Skip as many batches as the finished steps used, gradient accumulation included: "
            "dataset.skip(used). Take no other batch from the iterator outside a training step.",
            EVERY_STYLE,
        ),
    ),
    "mode-differs": (
        Remedy(
            "Train in training mode after the restore, too: session.run(train_op, {is_training: "
            "True}).",
            TF1,
        ),
        Remedy(
            "Set layer.trainable as it was at the save, before model.compile(…).",
            KERAS,
        ),
        Remedy(
            "Call the model with training=True in the training step, model(x, training=True), and "
            "set layer.trainable as it was at the save.",
            TF2,
        ),
    ),
    "learning-rate-differs": (
        Remedy(
            "Compute the learning rate from the restored global step: "
            "tf.train.exponential_decay(rate, global_step, …).",
            TF1,
        ),
        Remedy(
            "Compute the learning rate from the restored iterations: "
            "keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(…)).",
            TF2,
        ),
        Remedy(
            "Pass the number of epochs done, model.fit(…, initial_epoch=epochs): a "
            "LearningRateScheduler counts from there. Or let the rate follow from the iterations: "
            "keras.optimizers.schedules.CosineDecay(…).",
            KERAS,
        ),
    ),
}
