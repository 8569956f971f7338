"""The catalogue: what can be lost, as a sentence, how it shows, a real report of it, and its remedy for each stage."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Stage(str, Enum):
    """Where on its way a tensor was lost."""

    OMITTED_AT_SAVE = "omitted at save"
    NOT_APPLIED_AT_LOAD = "not applied at load"
    OVERWRITTEN_AFTER_LOAD = "overwritten after load"
    NEVER_LIVE = "never live"


class Reach(str, Enum):
    """What a cause can change of a run that is resumed."""

    EVALUATION = "evaluation"  # at the boundary, before any update
    FIRST_LOSS = "first loss"
    LATER = "later"  # whatever follows the first update


EVERYTHING = frozenset(Reach)
# An optimizer acts after a step's loss.
FROM_THE_FIRST_UPDATE = frozenset({Reach.LATER})
FROM_THE_FIRST_STEP = frozenset({Reach.FIRST_LOSS, Reach.LATER})
EVALUATION_ONLY = frozenset({Reach.EVALUATION, Reach.LATER})


@dataclass(frozen=True)
class Cause:
    """One entry of the catalogue.

    `summary` says in one sentence what it is, `signature` how it shows, `reported` where somebody met it. `sentence` tells one
    case of it; its fields in braces are filled in by the diagnosis. `remedies` is by stage; the entry under None is used where
    the stage is not known. Those that differ by stage are for TensorFlow 1 graphs (`tf1`); `others` has what to do elsewhere,
    by framework (`keras` for jobs that call `fit`, `tf2` for `tf.train.Checkpoint`) and stage. Where the framework is not
    known, the remedy names no call of any. `reach` is what it can change; None: it cannot be allowed.
    """

    name: str
    summary: str
    sentence: str
    signature: str
    reported: str
    remedies: Mapping[Stage | None, str]
    others: Mapping[tuple[str, Stage | None], str] = field(default_factory=dict)
    reach: frozenset[Reach] | None = EVERYTHING

    def remedy(self, stage: Stage | None, framework: str = "") -> str:
        """Return what to do when the tensors of a job on `framework` were lost at `stage`."""
        if (framework, stage) in self.others:
            return self.others[framework, stage]
        # What is overwritten was saved and restored, whatever saves and restores it there.
        overwritten = stage is Stage.OVERWRITTEN_AFTER_LOAD and stage in self.remedies
        if (framework, None) in self.others and not overwritten:
            return self.others[framework, None]
        if framework != "tf1" and Stage.OMITTED_AT_SAVE in self.remedies:
            return _ANYWHERE[stage]
        return self.remedies.get(stage) or self.remedies[None]


_ALL_VARIABLES = "Restore with a plain tf.train.Saver(): it takes every global variable, not only the trainable ones."
_INITIALISER = "Run the initialiser before the restore, never after it, and assign nothing to these variables in between."


# What a remedy is for: a framework, whatever the stage.
_KERAS: tuple[str, Stage | None] = ("keras", None)
_TF2: tuple[str, Stage | None] = ("tf2", None)

# A tf.train.Checkpoint holds what its objects lead to, and nothing else.
_TRACKED = (
    "Pass it to tf.train.Checkpoint(…), or make it an attribute of an object that is passed: plain Python lists, dictionaries "
    "and objects outside do not lead to their layers and variables. Restore with the same objects; "
    "checkpoint.restore(…).assert_consumed() after the first step names what was left over."
)
_WHOLE_MODEL = (
    "Save and load the whole model, model.save('model.keras') and keras.models.load_model, or weights and optimizer together "
    "in a tf.train.Checkpoint(model=model, optimizer=model.optimizer)."
)
_BUILT_FIRST = (
    "The checkpoint holds them, but they were made after the restore, or hang from something else than when they were saved. "
    "Build the model before checkpoint.restore(…): call it once on a batch of the right shape."
)
_TRACKED_OR_WHOLE: dict[tuple[str, Stage | None], str] = {
    _TF2: _TRACKED,
    ("tf2", Stage.NOT_APPLIED_AT_LOAD): _BUILT_FIRST,
    _KERAS: _WHOLE_MODEL,
}

_ANYWHERE: Mapping[Stage | None, str] = {
    Stage.OMITTED_AT_SAVE: "Save them with the checkpoint, and fill them from it in the restore.",
    Stage.NOT_APPLIED_AT_LOAD: "The checkpoint holds them: fill them from it in the restore.",
    Stage.OVERWRITTEN_AFTER_LOAD: "Assign nothing to them after the restore: whatever initialises them must run before it.",
    None: "Save them with the checkpoint, fill them from it in the restore, and assign nothing to them after it.",
}


def _lost(save: str, load: str = _ALL_VARIABLES) -> dict[Stage | None, str]:
    return {
        Stage.OMITTED_AT_SAVE: save,
        Stage.NOT_APPLIED_AT_LOAD: load,
        Stage.OVERWRITTEN_AFTER_LOAD: _INITIALISER,
        None: f"{save} {load}",
    }


_GENERATORS: dict[tuple[str, Stage | None], str] = {
    _KERAS: "No file of Keras holds the state of seed generators. Save it in a tf.train.Checkpoint of your "
    "own, tf.train.Checkpoint(model=model, optimizer=model.optimizer, seed=layer.seed_generator.state), or "
    "accept that random layers draw anew.",
    _TF2: "Pass the generator to tf.train.Checkpoint(…), of a Keras layer its layer.seed_generator.state; "
    "or draw with stateless operations whose seed follows from the step.",
}
# Of a generator that is no state, only what it draws is seen.
_HIDDEN_GENERATOR: dict[Stage | None, str] = {
    None: "No tf.train.Saver() holds the state of an operation that has a seed, or of a generator of NumPy. Draw by "
    "operations whose seed follows from the global step (tf.random.stateless_uniform, numpy.random.default_rng((seed, "
    "step))), or save the generator's state beside the checkpoint.",
}
_DATA: dict[tuple[str, Stage | None], str] = {
    _KERAS: "fit saves no position in the data, and begins an epoch with its first batch. Save at the end of "
    "epochs only (short ones, by steps_per_epoch), and let the order of an epoch's batches follow from its number.",
    _TF2: "Pass the iterator to tf.train.Checkpoint(…), or make the batch a function of (seed, step).",
}


# Where people met it: threads on GitHub, by repository and number.
def _at(thread: str) -> str:
    repository, _, number = thread.partition("#")
    return f"https://github.com/{repository}/issues/{number}"


def _pull(thread: str) -> str:
    return _at(thread).replace("/issues/", "/pull/")


_CATALOGUE = (
    # --- The control itself -----------------------------------------------------------------------------------------
    Cause(
        "noise",
        "The job does not reproduce itself: its control, run again, is another run.",
        "When the control is run again, {first}.",
        "Two controls differ; every tensor at the boundary is equal.",
        _at("NVIDIA/framework-reproducibility#25"),
        {
            None: "Seed what draws, and make the order of operations fixed "
            "(tf.config.experimental.enable_op_determinism()); or "
            "measure the noise with --repeat N, and losses are judged against it.",
        },
        reach=None,
    ),
    Cause(
        "saving-changes-the-run",
        "The run goes on otherwise after a save than it would have without it.",
        "A control that never saves is another run: {first}. No restore is at fault: each save changes what is trained.",
        "The control differs from a control without saves, which is otherwise the same, bit for bit.",
        _pull("harubaru/waifu-diffusion#31"),
        {
            None: "Let the save read and write nothing but files: put back what it swaps (averages into weights), and take "
            "no batch "
            "and no random number from those that training takes.",
        },
        reach=None,
    ),
    Cause(
        "statistics-never-move",
        "Moving means and variances of batch norm are never updated, in the control as well.",
        "In the control itself {count} of {total} moving means and variances never changed: the update of the moving averages "
        "is not run. This is no fault of the restore; evaluation is wrong with or without a restart.",
        "Moving statistics of the control have one value from its start to its end.",
        _at("tensorflow/tensorflow#3926"),
        {None: "Run the update op after each train op, or make the train op depend on the collection UPDATE_OPS."},
        dict.fromkeys(
            (_KERAS, _TF2),
            "Call the model with training=True in the training step; see that no layer is frozen.",
        ),
        reach=None,
    ),
    Cause(
        "shadows-never-move",
        "Moving averages of weights are made but never updated, in the control as well.",
        "In the control itself {count} of {total} shadow variables never changed, though weights did: the moving average is "
        "not "
        "applied. This is no fault of the restore; what is evaluated with them is as old as they are.",
        "Shadow variables of the control have one value from its start to its end, while weights change.",
        _at("pytorch/pytorch#84053"),
        {None: "Run ema.apply in each training step, after the update of the weights."},
        reach=None,
    ),
    # --- The restore, or the run behind it, raises ------------------------------------------------------------------
    Cause(
        "shadows-not-in-checkpoint",
        "The restore asks for moving averages of weights that were never made, or never saved.",
        "The restore asked for {count} shadow variables that the checkpoint does not hold, {example} for one. "
        "ema.variables_to_restore() maps every trainable variable to its shadow, whether or not the moving average was "
        "ever applied to it; {why}.",
        "The restore raises: keys of averages are missing from the checkpoint.",
        _at("tensorflow/tensorflow#11597"),
        {None: "Use tf.train.Saver(): it saves and restores every global variable, the moving means and variances included."},
        reach=None,
    ),
    Cause(
        "keys-not-in-checkpoint",
        "The restore asks for keys that the checkpoint does not hold.",
        "The restore asked for {count} keys that the checkpoint does not hold, {example} for one.",
        "The restore raises: a key is missing from the checkpoint.",
        _at("paarthneekhara/text-to-image#52"),
        {None: "Save and restore the same variables under the same names, with tf.train.Saver() on both sides."},
        reach=None,
    ),
    Cause(
        "checkpoint-damaged",
        "A file of the checkpoint is incomplete or corrupt.",
        "The checkpoint cannot be read: {type}: {message}",
        "The restore raises an error of reading: data loss, out of range, a bad zip file, a truncated file.",
        _at("Lightning-AI/pytorch-lightning#688"),
        {
            None: "Write to a temporary name and rename when all is written, keep the checkpoint before it, and let a "
            "restart fall "
            "back to that one.",
        },
        reach=None,
    ),
    Cause(
        "restore-raised",
        "The restore raises an exception.",
        "The restore raised {type}: {message}",
        "The restore raises, and neither missing keys nor damaged files say why.",
        _at("tensorflow/tensorflow#11097"),
        {None: "Make the restore work on a fresh process that has only built the job; its output.txt has the traceback."},
        reach=None,
    ),
    Cause(
        "resumed-run-raised",
        "The restore goes through, and the run behind it raises.",
        "The restore went through, but the resumed run raised in {during}{step}: {type}: {message}",
        "An exception in the resumed run, after its restore; the control has none there.",
        _at("cchen156/Learning-to-See-in-the-Dark#70"),
        {None: "Restore everything that training needs; the run's output.txt has the traceback."},
        reach=None,
    ),
    # --- The checkpoint as a whole ----------------------------------------------------------------------------------
    Cause(
        "nothing-restored",
        "No checkpoint was restored, and nobody said so: the run starts over.",
        "Nothing came back: all {count} tensors that training had changed are at initial values.",
        "Every tensor has an initial value. With fixed seeds each loss equals the control's of that step number.",
        _at("tensorflow/tensorflow#35148"),
        {
            None: "Check that the restore is called at all, that it finds the checkpoint, and that nothing initialises the "
            "variables after it.",
        },
        reach=None,
    ),
    Cause(
        "initialised-again",
        "An initialiser ran after the restore.",
        "The restore filled {count} tensors, and none of them kept its value: {initial} are at their initial values, the "
        "others hold new ones. An initialiser ran after the restore.",
        "What the restore asked for, and the checkpoint holds, has initial values.",
        _at("deepchem/deepchem#1613"),
        {None: _INITIALISER},
        reach=None,
    ),
    Cause(
        "older-checkpoint",
        "An older checkpoint than the newest was restored.",
        "{count} of {total} tensors have the values that they had when {older} steps were done: they come from an earlier "
        "save.",
        "Tensors equal the control's at an earlier save.",
        _pull("google/flax#1200"),
        {
            None: "Take the path that the framework's state file names (tf.train.latest_checkpoint, "
            "manager.latest_checkpoint), and "
            "the step from the restored state, never from another file's name; sort by number, not by text.",
        },
    ),
    Cause(
        "not-finite",
        "A restored tensor holds NaN or infinity.",
        "{count} restored tensors hold values that are not finite: {example}.",
        "NaN or infinity at the boundary. In a slot of the optimizer the first loss is equal, and the next one NaN.",
        _at("Rayhane-mamah/Tacotron-2#60"),
        {
            None: "Check that tensors are finite before a save (tf.debugging.check_numerics), and go back to a checkpoint "
            "that is."
        },
    ),
    Cause(
        "precision-lost",
        "Values were rounded to a narrower dtype on their way through the checkpoint.",
        "{count} of {total} tensors came back rounded to {dtype}: off by {apart:.3g} at most.",
        "Each restored value is one of the narrower dtype, next to the control's; all losses are a little off.",
        _at("TensorAuto/OpenTau#184"),
        {None: "Save and restore in the dtype that is trained in; in mixed precision that of the master weights, float32."},
    ),
    Cause(
        "rounding",
        "Values differ by the rounding of an operation or two.",
        "{count} of {total} tensors differ in their last bits alone, by {apart:.3g} at most: something was computed once "
        "more, or "
        "in another order. It is no loss of state, but the run does not go on bit for bit.",
        "Differences of a few units in the last place at the boundary.",
        _pull("keras-team/keras#18978"),
        {
            None: "Copy values instead of adding and subtracting (SwapEMAWeights swaps by arithmetic); or say how much may "
            "differ: "
            "--rtol, or --allow rounding.",
        },
    ),
    # --- Tensors, by kind -------------------------------------------------------------------------------------------
    Cause(
        "tensors-missing",
        "The new process has other tensors than the control: not the same ones, or of another dtype or shape.",
        "The two processes do not hold the same state: {example}.",
        "A tensor is there in one process only, or has another dtype or shape.",
        _at("tensorflow/tensorflow#34950"),
        {None: "Build the same variables, with the same dtype and shape, before the restore."},
    ),
    Cause(
        "moving-statistics-lost",
        "Moving means and variances of batch norm did not come back.",
        "{count} of {total} moving means and variances are {where}. Evaluation normalises with them, so it is "
        "wrong from the restart on; the training loss does not show it, because training normalises with the batch.",
        "The evaluation loss is off at the boundary and heals; no training loss differs.",
        _at("tensorflow/skflow#117"),
        _lost("Save every variable: tf.train.Saver() instead of a Saver over tf.trainable_variables()."),
        _TRACKED_OR_WHOLE,
        reach=EVALUATION_ONLY,
    ),
    Cause(
        "statistics-restarted",
        "Moving statistics came back, but their update begins anew.",
        "{count} of {total} moving means and variances are the control's at the boundary and not at the end, though every "
        "loss and "
        "weight is: their update is another one after the restart{beside}.",
        "Statistics equal at the boundary, all training losses equal, statistics and evaluation differ after it.",
        _at("cweniger/falcon#115"),
        {
            None: "Keep what the update depends on (a flag for the first one, a count, the momentum) in a variable that is "
            "saved "
            "with the statistics.",
        },
        reach=EVALUATION_ONLY,
    ),
    Cause(
        "replicas-lost",
        "Each replica has its own moving statistics, and those of one were saved.",
        "{count} of {total} moving means and variances of replicas are not the control's: each replica has its own, and they "
        "came back as those of replica 0, the only ones in the checkpoint.",
        "Replica 0's statistics are equal; all others have its values.",
        _at("tensorflow/tensorflow#46488"),
        {
            None: "Let the replicas share their statistics: keras.layers.BatchNormalization(synchronized=True) takes them "
            "over the batches of all replicas.",
        },
        reach=EVALUATION_ONLY,
    ),
    Cause(
        "shadows-in-weights",
        "Moving averages of the weights came back as the weights.",
        "{count} of {total} weights came back as their moving averages: the shadow variables were put into the weights. "
        "That is meant for evaluation; training goes on from other weights.",
        "Weights equal the control's shadow variables; the first loss is off.",
        _pull("atomistic-machine-learning/schnetpack#785"),
        {
            None: "To train on, restore with tf.train.Saver(); keep ema.variables_to_restore() for evaluation.",
        },
        {
            _KERAS: "Save while the weights are in their place: a callback that saves must come before SwapEMAWeights "
            "in the list, or SwapEMAWeights must not swap at the end of an epoch.",
            _TF2: "Save while the weights are in their place, not while their averages are swapped in.",
        },
    ),
    Cause(
        "shadows-lost",
        "Moving averages of the weights did not come back.",
        "{count} of {total} shadow variables (moving averages of weights) are {where}: the averages start "
        "anew. No training loss shows it.",
        "Only an evaluation with the averages shows it.",
        _at("m2lines/Samudra#282"),
        _lost(
            "Save every variable, the shadows included: tf.train.Saver().",
            "To train on, restore with tf.train.Saver(): ema.variables_to_restore() fills the weights from the shadows and "
            "leaves the shadows themselves out.",
        ),
        _TRACKED_OR_WHOLE,
        reach=EVALUATION_ONLY,
    ),
    Cause(
        "weights-lost",
        "Weights did not come back: not saved because nothing leads to them, or left out at the load without an error.",
        "{count} of {total} weights are {where}: what they had learnt is lost.",
        "Some weights have initial values; the first loss is off.",
        _at("keras-team/keras#18398"),
        _lost("Save every variable: tf.train.Saver()."),
        _TRACKED_OR_WHOLE,
    ),
    Cause(
        "weights-scaled",
        "Weights came back times a number: the restore made a step.",
        "{count} of {total} weights are the checkpoint's times {factor:.9g}: something in the restore took a step of the "
        "optimizer, "
        "or applied weight decay.",
        "Weights differ from the control's by a common factor.",
        _pull("pytorch/pytorch#125708"),
        {
            None: "Take no step and apply no decay while restoring: make the optimizer's variables with "
            "optimizer.build(weights)."
        },
    ),
    Cause(
        "weights-swapped",
        "Weights of one shape came back under each other's names.",
        "{count} tensors came back with the value of another one: {example}.",
        "A weight equals the control's value of another weight.",
        _at("tensorflow/tensorflow#11097"),
        {None: "Give variables names of their own and restore by name; order of creation is no name."},
    ),
    Cause(
        "slots-swapped",
        "Slots of the optimizer came back for other weights.",
        "{count} optimizer slots came back with the value of another one: {example}.",
        "A slot equals the control's value of another slot; the first loss is equal, the next one is not.",
        _at("pytorch/pytorch#1489"),
        {None: "Give the optimizer its weights in one order in every process: a list in a fixed order, never a set."},
        reach=FROM_THE_FIRST_UPDATE,
    ),
    Cause(
        "tensors-swapped",
        "Tensors came back with the values of others.",
        "{count} tensors came back with the value of another one: {example}.",
        "A tensor equals the control's value of another one.",
        _at("keras-team/keras#10777"),
        {None: "Give variables names of their own and restore by name; order of creation is no name."},
    ),
    Cause(
        "slots-lost",
        "Slots of the optimizer (momentum, second moments) did not come back.",
        "{count} of {total} optimizer slots are {where}. An optimizer acts after a step's loss, so this by "
        "itself spares the first resumed loss and changes all later ones.",
        "The first loss is equal, all later ones are not.",
        _at("tensorflow/tensorflow#44670"),
        _lost("Save the optimizer's variables too: make the Saver after the optimizer, over all global variables."),
        {
            _KERAS: "Load the whole model (keras.models.load_model), or make the slots before load_weights: "
            "model.optimizer.build(model.trainable_variables). Without them load_weights passes over the optimizer, with a "
            "warning at most.",
            _TF2: "Pass the optimizer to tf.train.Checkpoint(model=…, optimizer=…), the same object that trains.",
        },
        reach=FROM_THE_FIRST_UPDATE,
    ),
    Cause(
        "loss-scale-lost",
        "The loss scale of mixed precision, or its count of good steps, did not come back.",
        "The loss scale starts anew: {example}.",
        "The first loss is equal; the scale, and with it the steps that are skipped, are not.",
        _at("facebookresearch/metaseq#3"),
        _lost("Save the variables of the loss scale with the optimizer's."),
        {
            _KERAS: "Load the whole model (keras.models.load_model): the LossScaleOptimizer that is compiled holds the scale.",
            _TF2: "Pass the LossScaleOptimizer itself to tf.train.Checkpoint(…), not the optimizer inside it.",
        },
        reach=FROM_THE_FIRST_UPDATE,
    ),
    Cause(
        "accumulators-lost",
        "Gradients that were being accumulated when the checkpoint was saved are gone.",
        "{count} of {total} accumulators of gradients are {where}: it was saved between two updates, and the gradients of "
        "the steps since the last one are lost.",
        "Only where it is saved between two updates: the next update is another one.",
        _at("huggingface/transformers#22143"),
        _lost("Save the accumulators, too, or save right after an update only."),
        {_TF2: "Pass the accumulators to tf.train.Checkpoint(…), or save right after an update only."},
        reach=FROM_THE_FIRST_UPDATE,
    ),
    Cause(
        "hyperparameters-differ",
        "A hyperparameter is another one after the restart: it came from the program, not from the checkpoint.",
        "{count} hyperparameters are others than the control's: {example}.",
        "A hyperparameter differs at the boundary, or in a step; the first loss is equal.",
        _at("pytorch/pytorch#65342"),
        {None: "Start the resumed run with the settings of the one that saved, or save them and check them on restore."},
        reach=FROM_THE_FIRST_UPDATE,
    ),
    Cause(
        "generators-restarted",
        "A random generator begins anew: its numbers are drawn a second time.",
        "{count} of {total} random generators {where}: what is drawn after the restart, such as the masks of Dropout, was "
        "drawn before.",
        "The state of the generator is its first one, or the draws are those of the run's beginning.",
        _at("keras-team/keras#19796"),
        _lost("Save the state of every random generator.") | _HIDDEN_GENERATOR,
        _GENERATORS,
        reach=FROM_THE_FIRST_STEP,
    ),
    Cause(
        "generators-reseeded",
        "A random generator is neither continued nor begun anew: it was seeded from outside.",
        "{count} of {total} random generators {where}: what is drawn after the restart, such as the masks of Dropout, is "
        "nothing that would have been drawn.",
        "The state of the generator, or what is drawn, is none of the control's.",
        _at("ecmwf/anemoi-core#2"),
        _lost("Save the state of every random generator, and seed none after the restore.") | _HIDDEN_GENERATOR,
        _GENERATORS,
        reach=FROM_THE_FIRST_STEP,
    ),
    Cause(
        "python-state-lost",
        "What objects of the program remember, such as a counter or a callback, is in no file.",
        "What the program remembers outside of variables did not come back: {example}.",
        "What is computed from it differs, such as the learning rate; with the control's numbers put in, it does not.",
        _at("keras-team/keras#12803"),
        {
            None: "Keep it in a variable that is saved, or compute it from the restored step.",
        },
        {
            _KERAS: "Callbacks forget: keep what they remember in variables of the model (a subclass that assigns them), or "
            "use a "
            "schedule that follows from the optimizer's iterations.",
        },
        reach=FROM_THE_FIRST_UPDATE,
    ),
    Cause(
        "state-lost",
        "Another state tensor did not come back.",
        "{count} of {total} other state tensors are {where}.",
        "It depends on what reads it.",
        _pull("AI-Hypercomputer/maxtext#4343"),
        _lost("Save every variable: tf.train.Saver()."),
        {
            _TF2: _TRACKED,
            _KERAS: "What Keras saves in no file must be put back by a callback of your own: what callbacks remember, "
            "and the metrics of an epoch that was not over.",
        },
    ),
    Cause(
        "step-lost",
        "A step counter did not come back.",
        "The step counter is at {resumed}, the control's at {control}: batches, schedules and warm-ups start there again.",
        "The counter differs at the boundary; the first loss is equal unless the batch follows from the counter.",
        _at("wizyoung/YOLOv3_TensorFlow#94"),
        _lost("Save the global step: tf.train.Saver() takes it, a Saver over the trainable variables does not."),
        _TRACKED_OR_WHOLE,
    ),
    # --- Steps: data, draws, rates ----------------------------------------------------------------------------------
    Cause(
        "wrong-first-step",
        "The resumed run begins with another step than the control's next one.",
        "The resumed run began with step {resumed}, the control's next step is {control}, and no counter that "
        "was lost says so: {what}.",
        "The first step of the resumed process has another number.",
        _at("Lightning-AI/pytorch-lightning#850"),
        {None: "Take the number of the next step from the restored state."},
        {
            _KERAS: "fit begins an epoch with its first step, whatever was saved in the middle of it. Save at the "
            "end of epochs only, and make them short: steps_per_epoch sets their length.",
        },
    ),
    Cause(
        "data-restarted",
        "The data are read from their beginning again.",
        "From step {step} on the resumed run reads the control's batches from step {source} on: the data begin again.",
        "The first batch is that of the first step of the epoch, or of the run.",
        _at("tensorflow/tensorflow#24408"),
        {None: "Make the batch a function of (seed, step), or save the position of the input pipeline with the state."},
        _DATA,
        reach=FROM_THE_FIRST_STEP,
    ),
    Cause(
        "data-shifted",
        "The data are the control's, some steps off.",
        "From step {step} on the resumed run reads the control's batches from step {source} on: {off}.",
        "Each batch is the control's of another step, always as far off.",
        _pull("Nerogar/OneTrainer#1465"),
        {None: "Take no batch from the pipeline but for a step; skip as many as steps were done, with accumulation in mind."},
        reach=FROM_THE_FIRST_STEP,
    ),
    Cause(
        "data-order",
        "The data come in another order: that of an earlier epoch, or a new one.",
        "From step {step} on the resumed run reads {order}.",
        "The position in the epoch is right, the permutation is not; or it parts only at the next epoch.",
        _at("tensorflow/tensorflow#48178"),
        {None: "Let the order of an epoch's batches follow from its number (seed + epoch), or save the state of the shuffle."},
        _DATA,
        reach=FROM_THE_FIRST_STEP,
    ),
    Cause(
        "examples-lost",
        "Examples are left out, others are read twice: what was in a shuffle buffer is gone.",
        "From step {step} to the end of the epoch {lost} examples are not read that the control reads, and {repeated} are "
        "read "
        "instead that are not due.",
        "Batches are made of the control's examples, but of others than are due.",
        _at("huggingface/datasets#7901"),
        {None: "Save the state of the pipeline with its buffer, or shuffle indices of the whole epoch by (seed, epoch)."},
        _DATA,
        reach=FROM_THE_FIRST_STEP,
    ),
    Cause(
        "depends-on-hash-order",
        "What is computed depends on the order of a set or on hash(), which is another one in each process.",
        "With the control's PYTHONHASHSEED the same restore {recovers}; with another one, as each new process has, it does "
        "not: "
        "something is encoded, numbered or ordered by a set or by hash(), such as a vocabulary or a label map.",
        "It recovers in a process with the same PYTHONHASHSEED and in no other; tensors are equal, inputs are not.",
        _at("keras-team/keras#4875"),
        {None: "Sort before numbering (sorted(set(…))), and save vocabularies and label maps beside the checkpoint."},
        reach=None,
    ),
    Cause(
        "batches-differ",
        "The data are others, and nothing that the control read says which.",
        "The resumed run read other batches than the control, first at step {step}{position}.",
        "Batches differ that are no other batches of the control.",
        _pull("keras-team/keras#22490"),
        {None: "Make the batch a function of (seed, step), or save the position of the input pipeline with the state."},
        _DATA,
        reach=FROM_THE_FIRST_STEP,
    ),
    Cause(
        "mode-differs",
        "The resumed run trains in another mode: in evaluation mode, or with frozen layers.",
        "{count} of {total} tensors stand still in the resumed run that move in the control: {what}.",
        "Tensors that the control's training moves do not move at all.",
        _at("keras-team/keras#12470"),
        {None: "Put the model back into training mode after the restore, and set trainable as it was before it."},
        {
            _KERAS: "Set layer.trainable as it was when the checkpoint was saved, before compile.",
            _TF2: "Call the model with training=True in the training step, and set trainable as it was.",
        },
        reach=FROM_THE_FIRST_STEP,
    ),
    Cause(
        "learning-rate-differs",
        "The learning rate is another one: the position in its schedule is kept outside of the checkpoint.",
        "The learning rate is {resumed}, the control's is {control}, first at step {step}{beside}.",
        "The rate differs at once, or at the next change of the schedule; the loss of that step is still equal.",
        _at("tensorflow/tensorflow#49208"),
        {None: "Compute the learning rate from the restored step, or save the state of its schedule."},
        reach=FROM_THE_FIRST_UPDATE,
    ),
    Cause(
        "unexplained",
        "The runs part, and nothing that was recorded says why.",
        "Unexplained: {example}.",
        "Everything that is compared before it is equal.",
        _at("tensorflow/tensorflow#40342"),
        {None: "Look for state outside the compared tensors: random generators, Python attributes, the input pipeline."},
        reach=None,
    ),
)
CAUSES: Mapping[str, Cause] = {cause.name: cause for cause in _CATALOGUE}
