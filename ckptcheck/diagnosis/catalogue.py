"""The catalogue: what can be lost, as a sentence, how it shows, a real report of it, what it does, and what to do about it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ckptcheck.diagnosis.cause import (
    EVALUATION,
    FIRST_STEP,
    FIRST_UPDATE,
    Cause,
    Diagnosis,
    Remedy,
    Severity,
    Stage,
)
from ckptcheck.diagnosis.remedies import remedies_of
from ckptcheck.run.task import REMEMBERED, SAME_HASH

INITIALISED_AFTER = "Run the initialiser before the restore, never after it, and assign nothing to these variables in between."

# By its first word an entry says how severe the cause is.
_breaks_training = partial(Cause, Severity.BREAKS_TRAINING)
_changes_trajectory = partial(Cause, Severity.CHANGES_TRAJECTORY)
_cosmetic = partial(Cause, Severity.COSMETIC)


def _issue(thread: str) -> str:
    """Return the address of a thread on GitHub, given by repository and number."""
    return f"https://github.com/{thread.replace('#', '/issues/')}"


def _pull(thread: str) -> str:
    return f"https://github.com/{thread.replace('#', '/pull/')}"


_CATALOGUE = {
    # --- The control itself --------------------------------------------------------------------------------------------
    "noise": _changes_trajectory(
        "The job does not reproduce itself: its control, run again, is another run.",
        sentence="When the control is run again, {first}.",
        signature="Two controls differ; every tensor at the boundary is equal.",
        reported=_issue("NVIDIA/framework-reproducibility#25"),
        do="Seed what draws, and make the order of operations fixed (tf.config.experimental.enable_op_determinism()); or "
        "measure the noise with --repeat N, and losses are judged against it.",
        acceptable=False,
        about_the_control=True,
    ),
    "saving-changes-the-run": _changes_trajectory(
        "The run goes on otherwise after a save than it would have without it.",
        sentence="A control that never saves is another run: {first}. No restore is at fault: each save changes what is "
        "trained.",
        signature="The control differs from a control without saves, which is otherwise the same, bit for bit.",
        reported=_pull("harubaru/waifu-diffusion#31"),
        do="Let the save read and write nothing but files: put back what it swaps (averages into weights), and take no batch "
        "and no random number from those that training takes.",
        acceptable=False,
        about_the_control=True,
    ),
    "statistics-never-move": _breaks_training(
        "Moving means and variances of batch norm are never updated, in the control as well.",
        sentence="In the control itself {count} of {total} moving means and variances never changed: the update of the "
        "moving averages is not run. This is no fault of the restore; evaluation is wrong with or without a restart.",
        signature="Moving statistics of the control have one value from its start to its end.",
        reported=_issue("tensorflow/tensorflow#3926"),
        do="Run the update op after each train op, or make the train op depend on the collection UPDATE_OPS.",
        acceptable=False,
        about_the_control=True,
    ),
    "shadows-never-move": _breaks_training(
        "Moving averages of weights are made but never updated, in the control as well.",
        sentence="In the control itself {count} of {total} shadow variables never changed, though weights did: the moving "
        "average is not applied. This is no fault of the restore; what is evaluated with them is as old as they are.",
        signature="Shadow variables of the control have one value from its start to its end, while weights change.",
        reported=_issue("pytorch/pytorch#84053"),
        do="Run ema.apply in each training step, after the update of the weights.",
        acceptable=False,
        about_the_control=True,
    ),
    # --- The restore, or the run behind it, raises ---------------------------------------------------------------------
    "shadows-not-in-checkpoint": _breaks_training(
        "The restore asks for moving averages of weights that were never made, or never saved.",
        sentence="The restore asked for {count} shadow variables that the checkpoint does not hold, {example} for one. "
        "ema.variables_to_restore() maps every trainable variable to its shadow, whether or not the moving average was ever "
        "applied to it; {why}.",
        signature="The restore raises: keys of averages are missing from the checkpoint.",
        reported=_issue("tensorflow/tensorflow#11597"),
        do="Use tf.train.Saver(): it saves and restores every global variable, the moving means and variances included.",
        acceptable=False,
    ),
    "keys-not-in-checkpoint": _breaks_training(
        "The restore asks for keys that the checkpoint does not hold.",
        sentence="The restore asked for {count} keys that the checkpoint does not hold, {example} for one.",
        signature="The restore raises: a key is missing from the checkpoint.",
        reported=_issue("paarthneekhara/text-to-image#52"),
        do="Save and restore the same variables under the same names, with tf.train.Saver() on both sides.",
        acceptable=False,
    ),
    "checkpoint-damaged": _breaks_training(
        "A file of the checkpoint is incomplete or corrupt.",
        sentence="The checkpoint cannot be read: {type}: {message}",
        signature="The restore raises an error of reading: data loss, out of range, a bad zip file, a truncated file.",
        reported=_issue("Lightning-AI/pytorch-lightning#688"),
        do="Write to a temporary name and rename when all is written, keep the checkpoint before it, and let a restart fall "
        "back to that one.",
        acceptable=False,
    ),
    "restore-raised": _breaks_training(
        "The restore raises an exception.",
        sentence="The restore raised {type}: {message}",
        signature="The restore raises, and neither missing keys nor damaged files say why.",
        reported=_issue("tensorflow/tensorflow#11097"),
        do="Make the restore work on a fresh process that has only built the job; its output.txt has the traceback.",
        acceptable=False,
    ),
    "resumed-run-raised": _breaks_training(
        "The restore goes through, and the run behind it raises.",
        sentence="The restore went through, but the resumed run raised in {during}{step}: {type}: {message}",
        signature="An exception in the resumed run, after its restore; the control has none there.",
        reported=_issue("cchen156/Learning-to-See-in-the-Dark#70"),
        do="Restore everything that training needs; the run's output.txt has the traceback.",
        acceptable=False,
    ),
    # --- The checkpoint as a whole -------------------------------------------------------------------------------------
    "nothing-restored": _breaks_training(
        "No checkpoint was restored, and nobody said so: the run starts over.",
        sentence="Nothing came back: all {count} tensors that training had changed are at initial values.",
        signature="Every tensor has an initial value. With fixed seeds each loss equals the control's of that step number.",
        reported=_issue("tensorflow/tensorflow#35148"),
        do="Check that the restore is called at all, that it finds the checkpoint, and that nothing initialises the "
        "variables after it.",
        acceptable=False,
    ),
    "initialised-again": _breaks_training(
        "An initialiser ran after the restore.",
        sentence="The restore filled {count} tensors, and none of them kept its value: {initial} are at their initial "
        "values, the others hold new ones. An initialiser ran after the restore.",
        signature="What the restore asked for, and the checkpoint holds, has initial values.",
        reported=_issue("deepchem/deepchem#1613"),
        do=INITIALISED_AFTER,
        acceptable=False,
    ),
    "older-checkpoint": _breaks_training(
        "An older checkpoint than the newest was restored.",
        sentence="{count} of {total} tensors have the values that they had when {older} steps were done: they come from an "
        "earlier save.",
        signature="Tensors equal the control's at an earlier save.",
        reported=_pull("google/flax#1200"),
        do="Take the path that the framework's state file names (tf.train.latest_checkpoint, manager.latest_checkpoint), and "
        "the step from the restored state, never from another file's name; sort by number, not by text.",
    ),
    "not-finite": _breaks_training(
        "A restored tensor holds NaN or infinity.",
        sentence="{count} restored tensors hold values that are not finite: {example}.",
        signature="NaN or infinity at the boundary. In a slot of the optimizer the first loss is equal, and the next one NaN.",
        reported=_issue("Rayhane-mamah/Tacotron-2#60"),
        do="Check that tensors are finite before a save (tf.debugging.check_numerics), and go back to a checkpoint that is.",
    ),
    "precision-lost": _changes_trajectory(
        "Values were rounded to a narrower dtype on their way through the checkpoint.",
        sentence="{count} of {total} tensors came back rounded to {dtype}: off by {apart:.3g} at most.",
        signature="Each restored value is one of the narrower dtype, next to the control's; all losses are a little off.",
        reported=_issue("TensorAuto/OpenTau#184"),
        do="Save and restore in the dtype that is trained in; in mixed precision that of the master weights, float32.",
        loss_within=0.1,
    ),
    "rounding": _cosmetic(
        "Values differ by the rounding of an operation or two.",
        sentence="{count} of {total} tensors differ in their last bits alone, by {apart:.3g} at most: something was computed "
        "once more, or in another order. It is no loss of state, but the run does not go on bit for bit.",
        signature="Differences of a few units in the last place at the boundary.",
        reported=_pull("keras-team/keras#18978"),
        do="Copy values instead of adding and subtracting (SwapEMAWeights swaps by arithmetic); or say how much may differ: "
        "--rtol, or --allow rounding.",
        loss_within=0.001,
        recipe="keras/ema-swap-copied",
    ),
    # --- Tensors, by kind ----------------------------------------------------------------------------------------------
    "tensors-missing": _breaks_training(
        "The new process has other tensors than the control: not the same ones, or of another dtype or shape.",
        sentence="The two processes do not hold the same state: {example}.",
        signature="A tensor is there in one process only, or has another dtype or shape.",
        reported=_issue("tensorflow/tensorflow#34950"),
        do="Build the same variables, with the same dtype and shape, before the restore.",
        settled_by=(SAME_HASH,),
    ),
    "moving-statistics-lost": _breaks_training(
        "Moving means and variances of batch norm did not come back.",
        sentence="{count} of {total} moving means and variances are {where}. Evaluation normalises with them, so it is wrong "
        "from the restart on; the training loss does not show it, because training normalises with the batch.",
        signature="The evaluation loss is off at the boundary and heals; no training loss differs.",
        reported=_issue("tensorflow/skflow#117"),
        starts_at=EVALUATION,
    ),
    "statistics-restarted": _breaks_training(
        "Moving statistics came back, but their update begins anew.",
        sentence="{count} of {total} moving means and variances are the control's at the boundary and not at the end, though "
        "every loss and weight is: their update is another one after the restart{beside}.",
        signature="Statistics equal at the boundary, all training losses equal, statistics and evaluation differ after it.",
        reported=_issue("cweniger/falcon#115"),
        do="Keep what the update depends on (a flag for the first one, a count, the momentum) in a variable that is saved "
        "with the statistics.",
        starts_at=EVALUATION,
    ),
    "replicas-lost": _breaks_training(
        "Each replica has its own moving statistics, and those of one were saved.",
        sentence="{count} of {total} moving means and variances of replicas are not the control's: each replica has its own, "
        "and they came back as those of replica 0, the only ones in the checkpoint.",
        signature="Replica 0's statistics are equal; all others have its values.",
        reported=_issue("tensorflow/tensorflow#46488"),
        do="Let the replicas share their statistics: keras.layers.BatchNormalization(synchronized=True) takes them over the "
        "batches of all replicas.",
        starts_at=EVALUATION,
        recipe="keras/two-replicas-synchronized",
    ),
    "shadows-in-weights": _breaks_training(
        "Moving averages of the weights came back as the weights.",
        sentence="{count} of {total} weights came back as their moving averages: the shadow variables were put into the "
        "weights. That is meant for evaluation; training goes on from other weights.",
        signature="Weights equal the control's shadow variables; the first loss is off.",
        reported=_pull("atomistic-machine-learning/schnetpack#785"),
        do="To train on, restore with tf.train.Saver(); keep ema.variables_to_restore() for evaluation.",
        recipe="keras/ema-swap-copied",
    ),
    "shadows-lost": _breaks_training(
        "Moving averages of the weights did not come back.",
        sentence="{count} of {total} shadow variables (moving averages of weights) are {where}: the averages start anew. No "
        "training loss shows it.",
        signature="Only an evaluation with the averages shows it.",
        reported=_issue("m2lines/Samudra#282"),
        starts_at=EVALUATION,
        recipe="tf2/ema",
    ),
    "weights-lost": _breaks_training(
        "Weights did not come back: not saved because nothing leads to them, or left out at the load without an error.",
        sentence="{count} of {total} weights are {where}: what they had learnt is lost.",
        signature="Some weights have initial values; the first loss is off.",
        reported=_issue("keras-team/keras#18398"),
        recipe="tf2/layers-in-list",
    ),
    "weights-scaled": _breaks_training(
        "Weights came back times a number: the restore made a step.",
        sentence="{count} of {total} weights are the checkpoint's times {factor:.9g}: something in the restore took a step "
        "of the optimizer, or applied weight decay.",
        signature="Weights differ from the control's by a common factor.",
        reported=_pull("pytorch/pytorch#125708"),
        do="Take no step and apply no decay while restoring: make the optimizer's variables with optimizer.build(weights).",
    ),
    "weights-swapped": _breaks_training(
        "Weights of one shape came back under each other's names.",
        sentence="{count} tensors came back with the value of another one: {example}.",
        signature="A weight equals the control's value of another weight.",
        reported=_issue("tensorflow/tensorflow#11097"),
        do="Give variables names of their own and restore by name; order of creation is no name.",
        settled_by=(SAME_HASH,),
    ),
    "slots-swapped": _breaks_training(
        "Slots of the optimizer came back for other weights.",
        sentence="{count} optimizer slots came back with the value of another one: {example}.",
        signature="A slot equals the control's value of another slot; the first loss is equal, the next one is not.",
        reported=_issue("pytorch/pytorch#1489"),
        do="Give the optimizer its weights in one order in every process: a list in a fixed order, never a set.",
        starts_at=FIRST_UPDATE,
        settled_by=(SAME_HASH,),
    ),
    "tensors-swapped": _breaks_training(
        "Tensors came back with the values of others.",
        sentence="{count} tensors came back with the value of another one: {example}.",
        signature="A tensor equals the control's value of another one.",
        reported=_issue("keras-team/keras#10777"),
        do="Give variables names of their own and restore by name; order of creation is no name.",
        settled_by=(SAME_HASH,),
    ),
    "slots-lost": _changes_trajectory(
        "Slots of the optimizer (momentum, second moments) did not come back.",
        sentence="{count} of {total} optimizer slots are {where}. An optimizer acts after a step's loss, so this by itself "
        "spares the first resumed loss and changes all later ones.",
        signature="The first loss is equal, all later ones are not.",
        reported=_issue("tensorflow/tensorflow#44670"),
        starts_at=FIRST_UPDATE,
        recipe="keras/plain",
    ),
    "loss-scale-lost": _changes_trajectory(
        "The loss scale of mixed precision, or its count of good steps, did not come back.",
        sentence="The loss scale starts anew: {example}.",
        signature="The first loss is equal; the scale, and with it the steps that are skipped, are not.",
        reported=_issue("facebookresearch/metaseq#3"),
        starts_at=FIRST_UPDATE,
    ),
    "accumulators-lost": _changes_trajectory(
        "Gradients that were being accumulated when the checkpoint was saved are gone.",
        sentence="{count} of {total} accumulators of gradients are {where}: it was saved between two updates, and the "
        "gradients of the steps since the last one are lost.",
        signature="Only where it is saved between two updates: the next update is another one.",
        reported=_issue("huggingface/transformers#22143"),
        starts_at=FIRST_UPDATE,
    ),
    "hyperparameters-differ": _changes_trajectory(
        "A hyperparameter is another one after the restart: it came from the program, not from the checkpoint.",
        sentence="{count} hyperparameters are others than the control's: {example}.",
        signature="A hyperparameter differs at the boundary, or in a step; the first loss is equal.",
        reported=_issue("pytorch/pytorch#65342"),
        do="Start the resumed run with the settings of the one that saved, or save them and check them on restore.",
        starts_at=FIRST_UPDATE,
        settled_by=(REMEMBERED,),
    ),
    "generators-restarted": _changes_trajectory(
        "A random generator begins anew: its numbers are drawn a second time.",
        sentence="{count} of {total} random generators {where}: what is drawn after the restart, such as the masks of "
        "Dropout, was drawn before.",
        signature="The state of the generator is its first one, or the draws are those of the run's beginning.",
        reported=_issue("keras-team/keras#19796"),
        starts_at=FIRST_STEP,
        recipe="keras/dropout",
    ),
    "generators-reseeded": _changes_trajectory(
        "A random generator is neither continued nor begun anew: it was seeded from outside.",
        sentence="{count} of {total} random generators {where}: what is drawn after the restart, such as the masks of "
        "Dropout, is nothing that would have been drawn.",
        signature="The state of the generator, or what is drawn, is none of the control's.",
        reported=_issue("ecmwf/anemoi-core#2"),
        starts_at=FIRST_STEP,
    ),
    "python-state-lost": _changes_trajectory(
        "What objects of the program remember, such as a counter or a callback, is in no file.",
        sentence="What the program remembers outside of variables did not come back: {example}.",
        signature="What is computed from it differs, such as the learning rate; with the control's numbers put in, it does "
        "not.",
        reported=_issue("keras-team/keras#12803"),
        do="Keep it in a variable that is saved, or compute it from the restored step.",
        starts_at=FIRST_UPDATE,
        shown_by=REMEMBERED,
        recipe="keras/plateau-saved",
    ),
    "state-lost": _changes_trajectory(
        "Another state tensor did not come back.",
        sentence="{count} of {total} other state tensors are {where}.",
        signature="It depends on what reads it.",
        reported=_pull("AI-Hypercomputer/maxtext#4343"),
    ),
    "step-lost": _changes_trajectory(
        "A step counter did not come back.",
        sentence="The step counter is at {resumed}, the control's at {control}: batches, schedules and warm-ups start there "
        "again.",
        signature="The counter differs at the boundary; the first loss is equal unless the batch follows from the counter.",
        reported=_issue("wizyoung/YOLOv3_TensorFlow#94"),
    ),
    # --- Steps: data, draws, rates -------------------------------------------------------------------------------------
    "wrong-first-step": _changes_trajectory(
        "The resumed run begins with another step than the control's next one.",
        sentence="The resumed run began with step {resumed}, the control's next step is {control}, and no counter that was "
        "lost says so: {what}.",
        signature="The first step of the resumed process has another number.",
        reported=_issue("Lightning-AI/pytorch-lightning#850"),
        do="Take the number of the next step from the restored state.",
    ),
    "data-restarted": _changes_trajectory(
        "The data are read from their beginning again.",
        sentence="From step {step} on the resumed run reads the control's batches from step {source} on: the data begin "
        "again.",
        signature="The first batch is that of the first step of the epoch, or of the run.",
        reported=_issue("tensorflow/tensorflow#24408"),
        do="Make the batch a function of (seed, step), or save the position of the input pipeline with the state.",
        starts_at=FIRST_STEP,
        recipe="keras/short-epochs",
    ),
    "data-shifted": _changes_trajectory(
        "The data are the control's, some steps off.",
        sentence="From step {step} on the resumed run reads the control's batches from step {source} on: {off}.",
        signature="Each batch is the control's of another step, always as far off.",
        reported=_pull("Nerogar/OneTrainer#1465"),
        do="Take no batch from the pipeline but for a step; skip as many as steps were done, with accumulation in mind.",
        starts_at=FIRST_STEP,
        about_the_data=True,
        settled_by=(SAME_HASH,),
    ),
    "data-order": _changes_trajectory(
        "The data come in another order: that of an earlier epoch, or a new one.",
        sentence="From step {step} on the resumed run reads {order}.",
        signature="The position in the epoch is right, the permutation is not; or it parts only at the next epoch.",
        reported=_issue("tensorflow/tensorflow#48178"),
        do="Let the order of an epoch's batches follow from its number (seed + epoch), or save the state of the shuffle.",
        starts_at=FIRST_STEP,
        about_the_data=True,
        settled_by=(SAME_HASH,),
        recipe="keras/order-by-epoch",
    ),
    "examples-lost": _changes_trajectory(
        "Examples are left out, others are read twice: what was in a shuffle buffer is gone.",
        sentence="From step {step} to the end of the epoch {lost} examples are not read that the control reads, and "
        "{repeated} are read instead that are not due.",
        signature="Batches are made of the control's examples, but of others than are due.",
        reported=_issue("huggingface/datasets#7901"),
        do="Save the state of the pipeline with its buffer, or shuffle indices of the whole epoch by (seed, epoch).",
        starts_at=FIRST_STEP,
        about_the_data=True,
        settled_by=(SAME_HASH,),
    ),
    "depends-on-hash-order": _breaks_training(
        "What is computed depends on the order of a set or on hash(), which is another one in each process.",
        sentence="With the control's PYTHONHASHSEED the same restore {recovers}; with another one, as each new process has, "
        "it does not: something is encoded, numbered or ordered by a set or by hash(), such as a vocabulary or a label map.",
        signature="It recovers in a process with the same PYTHONHASHSEED and in no other; tensors are equal, inputs are not.",
        reported=_issue("keras-team/keras#4875"),
        do="Sort before numbering (sorted(set(…))), and save vocabularies and label maps beside the checkpoint.",
        acceptable=False,
        shown_by=SAME_HASH,
    ),
    "batches-differ": _changes_trajectory(
        "The data are others, and nothing that the control read says which.",
        sentence="The resumed run read other batches than the control, first at step {step}{position}.",
        signature="Batches differ that are no other batches of the control.",
        reported=_pull("keras-team/keras#22490"),
        do="Make the batch a function of (seed, step), or save the position of the input pipeline with the state.",
        starts_at=FIRST_STEP,
        about_the_data=True,
        settled_by=(SAME_HASH,),
    ),
    "mode-differs": _breaks_training(
        "The resumed run trains in another mode: in evaluation mode, or with frozen layers.",
        sentence="{count} of {total} tensors stand still in the resumed run that move in the control: {what}.",
        signature="Tensors that the control's training moves do not move at all.",
        reported=_issue("keras-team/keras#12470"),
        do="Put the model back into training mode after the restore, and set trainable as it was before it.",
        starts_at=FIRST_STEP,
    ),
    "learning-rate-differs": _changes_trajectory(
        "The learning rate is another one: the position in its schedule is kept outside of the checkpoint.",
        sentence="The learning rate is {resumed}, the control's is {control}, first at step {step}{beside}.",
        signature="The rate differs at once, or at the next change of the schedule; the loss of that step is still equal.",
        reported=_issue("tensorflow/tensorflow#49208"),
        do="Compute the learning rate from the restored step, or save the state of its schedule.",
        starts_at=FIRST_UPDATE,
        settled_by=(REMEMBERED,),
    ),
    "unexplained": _breaks_training(
        "The runs part, and nothing that was recorded says why.",
        sentence="Unexplained: {example}.",
        signature="Everything that is compared before it is equal.",
        reported=_issue("tensorflow/tensorflow#40342"),
        do="Look for state outside the compared tensors: random generators, Python attributes, the input pipeline.",
        acceptable=False,
        settled_by=(SAME_HASH, REMEMBERED),
    ),
}
CAUSES: Mapping[str, Cause] = {
    name: replace(cause, name=name) for name, cause in _CATALOGUE.items()
}


def remedies_for(cause: Cause) -> tuple[Remedy, ...]:
    """Return what to do about a cause: what frameworks declare, then what holds for any; the first that fits is meant."""
    return (*remedies_of(cause.name), *cause.remedies)


def remedy(
    cause: Cause, stage: Stage | None, framework: str = "", restore: str | None = None
) -> str:
    """Return what to do when the tensors of a job on `framework` were lost at `stage` by `restore`."""
    return next(each.text for each in remedies_for(cause) if each.fits(framework, stage, restore))


def diagnosis(
    cause: str, tensors: Sequence[str] = (), stage: Stage | None = None, **fields: Any
) -> Diagnosis:
    """Fill in a cause of the catalogue."""
    entry = CAUSES[cause]
    sentence = entry.sentence.format(**fields)
    return Diagnosis(
        cause, stage.value if stage else None, sentence, remedy(entry, stage), tuple(tensors)
    )
