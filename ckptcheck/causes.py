"""The catalogue: what can be lost, as a sentence, and its remedy for each stage at which it can have been lost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Stage(str, Enum):
    """Where on its way a tensor was lost."""

    OMITTED_AT_SAVE = "omitted at save"
    NOT_APPLIED_AT_LOAD = "not applied at load"
    OVERWRITTEN_AFTER_LOAD = "overwritten after load"
    NEVER_LIVE = "never live"


@dataclass(frozen=True)
class Cause:
    """One entry of the catalogue. The sentence may name fields in braces, which the diagnosis fills in.

    `remedies` is by stage; the entry under None is used where the stage is not known. Those that differ by stage are for
    TensorFlow 1 graphs (`tf1`); `others` has what to do elsewhere, by framework (`keras` for jobs that call `fit`, `tf2` for
    `tf.train.Checkpoint`) and stage. Where the framework is not known, the remedy names no call of any.
    """

    name: str
    sentence: str
    remedies: Mapping[Stage | None, str]
    others: Mapping[tuple[str, Stage | None], str] = field(default_factory=dict)

    def remedy(self, stage: Stage | None, framework: str = "") -> str:
        """Return what to do when the tensors of a job on `framework` were lost at `stage`."""
        for key in ((framework, stage), (framework, None)):
            if key in self.others:
                return self.others[key]
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


_CATALOGUE = (
    Cause(
        "shadows-not-in-checkpoint",
        "The restore asked for {count} shadow variables that the checkpoint does not hold, {example} for one. "
        "ema.variables_to_restore() maps every trainable variable to its shadow, whether or not the moving average was "
        "ever applied to it; here it was applied to {averaged}, so these shadows have never existed.",
        {None: "Use tf.train.Saver(): it saves and restores every global variable, the moving means and variances included."},
    ),
    Cause(
        "keys-not-in-checkpoint",
        "The restore asked for {count} keys that the checkpoint does not hold, {example} for one.",
        {None: "Save and restore the same variables under the same names, with tf.train.Saver() on both sides."},
    ),
    Cause(
        "restore-raised",
        "The restore raised {type}: {message}",
        {None: "Make the restore work on a fresh process that has only built the job; its output.txt has the traceback."},
    ),
    Cause(
        "resumed-run-raised",
        "The restore went through, but the resumed run raised in {during}{step}: {type}: {message}",
        {None: "Restore everything that training needs; the run's output.txt has the traceback."},
    ),
    Cause(
        "nothing-restored",
        "Nothing came back: all {count} tensors that training had changed are at the initial values of the new process.",
        {
            None: "Check that the restore is called at all, that it finds the checkpoint, and that nothing initialises the "
            "variables after it.",
        },
    ),
    Cause(
        "initialised-again",
        "The restore filled {count} tensors, and none of them kept its value: {initial} are at their initial values, the "
        "others hold new ones. An initialiser ran after the restore.",
        {None: _INITIALISER},
    ),
    Cause(
        "moving-statistics-lost",
        "{count} of {total} moving means and variances are {where}. Evaluation normalises with them, so it is "
        "wrong from the restart on; the training loss does not show it, because training normalises with the batch.",
        _lost("Save every variable: tf.train.Saver() instead of a Saver over tf.trainable_variables()."),
        _TRACKED_OR_WHOLE,
    ),
    Cause(
        "replicas-lost",
        "{count} of {total} moving means and variances of replicas are not the control's: each replica has its own, and they "
        "came back as those of replica 0, the only ones in the checkpoint.",
        {
            None: "Let the replicas share their statistics: keras.layers.BatchNormalization(synchronized=True) takes them "
            "over the batches of all replicas.",
        },
    ),
    Cause(
        "shadows-in-weights",
        "{count} of {total} weights came back as their moving averages: the shadow variables were put into the weights. "
        "That is meant for evaluation; training goes on from other weights.",
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
        "{count} of {total} shadow variables (moving averages of weights) are {where}: the averages start "
        "anew. No training loss shows it.",
        _lost(
            "Save every variable, the shadows included: tf.train.Saver().",
            "To train on, restore with tf.train.Saver(): ema.variables_to_restore() fills the weights from the shadows and "
            "leaves the shadows themselves out.",
        ),
        _TRACKED_OR_WHOLE,
    ),
    Cause(
        "slots-lost",
        "{count} of {total} optimizer slots are {where}. An optimizer acts after a step's loss, so this by "
        "itself spares the first resumed loss and changes all later ones.",
        _lost("Save the optimizer's variables too: make the Saver after the optimizer, over all global variables."),
        {
            _KERAS: "Load the whole model (keras.models.load_model), or make the slots before load_weights: "
            "model.optimizer.build(model.trainable_variables). Without them load_weights passes over the optimizer, with a "
            "warning at most.",
            _TF2: "Pass the optimizer to tf.train.Checkpoint(model=…, optimizer=…), the same object that trains.",
        },
    ),
    Cause(
        "step-lost",
        "The step counter is at {resumed}, the control's at {control}: batches, schedules and warm-ups start there again.",
        _lost("Save the global step: tf.train.Saver() takes it, a Saver over the trainable variables does not."),
        _TRACKED_OR_WHOLE,
    ),
    Cause(
        "weights-lost",
        "{count} of {total} weights are {where}: they belong to the new process, not to the checkpoint.",
        _lost("Save every variable: tf.train.Saver()."),
        _TRACKED_OR_WHOLE,
    ),
    Cause(
        "generators-lost",
        "{count} of {total} random generators are in another state than the control's: what is drawn after the restart, such "
        "as the masks of Dropout, is not what would have been drawn.",
        _lost("Save the state of every random generator."),
        {
            _KERAS: "No file of Keras holds the state of seed generators. Save it in a tf.train.Checkpoint of your "
            "own, tf.train.Checkpoint(model=model, optimizer=model.optimizer, seed=layer.seed_generator.state), or "
            "accept that random layers draw anew.",
            _TF2: "Pass the generator to tf.train.Checkpoint(…), of a Keras layer its layer.seed_generator.state; "
            "or draw with stateless operations whose seed follows from the step.",
        },
    ),
    Cause(
        "state-lost",
        "{count} of {total} other state tensors are {where}.",
        _lost("Save every variable: tf.train.Saver()."),
        {
            _TF2: _TRACKED,
            _KERAS: "What Keras saves in no file must be put back by a callback of your own: what callbacks remember, "
            "and the metrics of an epoch that was not over.",
        },
    ),
    Cause(
        "tensors-swapped",
        "{count} tensors came back with the value of another one: {example}.",
        {None: "Give variables names of their own and restore by name; order of creation is no name."},
    ),
    Cause(
        "tensors-missing",
        "The two processes do not hold the same state: {example}.",
        {None: "Build the same variables, with the same dtype and shape, before the restore."},
    ),
    Cause(
        "wrong-first-step",
        "The resumed run began with step {resumed}, the control's next step is {control}, though every counter came back.",
        {None: "Take the number of the next step from the restored state."},
        {
            _KERAS: "fit begins an epoch with its first step, whatever was saved in the middle of it. Save at the "
            "end of epochs only, and make them short: steps_per_epoch sets their length.",
        },
    ),
    Cause(
        "batches-differ",
        "The resumed run read other batches than the control, first at step {step}{position}.",
        {None: "Make the batch a function of (seed, step), or save the position of the input pipeline with the state."},
        {
            _KERAS: "fit saves no position in the data, and begins an epoch with its first batch. Save at the end of "
            "epochs only (short ones, by steps_per_epoch), and let the order of an epoch's batches follow from its number.",
            _TF2: "Pass the iterator to tf.train.Checkpoint(…), or make the batch a function of (seed, step).",
        },
    ),
    Cause(
        "learning-rate-differs",
        "The learning rate is {resumed}, the control's is {control}, first at step {step}.",
        {None: "Compute the learning rate from the restored step, or save the state of its schedule."},
    ),
    Cause(
        "statistics-never-move",
        "In the control itself {count} of {total} moving means and variances never changed: the update of the moving averages "
        "is not run. This is no fault of the restore; evaluation is wrong with or without a restart.",
        {None: "Run the update op after each train op, or make the train op depend on the collection UPDATE_OPS."},
        dict.fromkeys(
            (_KERAS, _TF2),
            "Call the model with training=True in the training step; see that no layer is frozen.",
        ),
    ),
    Cause(
        "unexplained",
        "Unexplained: {example}.",
        {None: "Look for state outside the compared tensors: random generators, Python attributes, the input pipeline."},
    ),
)
CAUSES: Mapping[str, Cause] = {cause.name: cause for cause in _CATALOGUE}
