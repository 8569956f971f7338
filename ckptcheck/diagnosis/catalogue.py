"""The catalogue of causes: what each is, how it shows, a real report of it, and what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ckptcheck.counts import filled
from ckptcheck.diagnosis.cause import (
    EVALUATION,
    FILES_LEFT,
    FIRST_STEP,
    FIRST_UPDATE,
    NEVER,
    Cause,
    Diagnosis,
    Remedy,
    Severity,
    Stage,
)
from ckptcheck.diagnosis.remedies import remedies_of
from ckptcheck.run.task import REMEMBERED, SAME_HASH

MEASURE_THE_NOISE = " Or measure the noise with --repeat N: losses are then judged against it."
ACCEPT_ROUNDING = " Or accept the difference with --rtol or --allow rounding."
INITIALISED_AFTER = (
    "Run the initialiser before the restore, never after it: initialise(), then restore(path). "
    "Assign nothing to these variables between the restore and the first step."
)
RESTORE_BY_NAME = (
    "Give each variable its own name and restore by name, np.savez(path, **by_name): creation "
    "order does not identify a variable."
)
END_AT_ONE_STEP = (
    " Or let both runs end at one step, to verify all but that: `ckptcheck verify --max-steps N`."
)
BY_STEP = (
    "Make each batch a function of (seed, step), np.random.default_rng((seed, step)), or save the "
    "position of the input pipeline with the state."
)
REPLAY_BUFFER = " A replay buffer is in no checkpoint: save it, too, np.savez(path, **buffer)."

TRACEBACK = (
    "The traceback is in runs/JOB/resumed-RESTORE@STEP/output.txt, below the folder given by --out."
)
GENERATORS = (
    "Save the state of every random generator, random.getstate() and "
    "generator.bit_generator.state. Set it in the restore, random.setstate(state), and seed no "
    "generator after it."
)
# The first word of an entry is the severity of its cause.
_breaks_training = partial(Cause, Severity.BREAKS_TRAINING)
_changes_trajectory = partial(Cause, Severity.CHANGES_TRAJECTORY)
_cosmetic = partial(Cause, Severity.COSMETIC)


def _issue(thread: str) -> str:
    """Return the address of a GitHub issue, given as `owner/name#number`."""
    return f"https://github.com/{thread.replace('#', '/issues/')}"


def _pull(thread: str) -> str:
    return f"https://github.com/{thread.replace('#', '/pull/')}"


_CATALOGUE = {
    # --- The control itself -------------------------------------------------------------------
    "noise": _changes_trajectory(
        "The job is not reproducible: two uninterrupted runs differ.",
        effect="is not reproducible",
        sentence="The job is not reproducible: when the control runs again, {first}.",
        detail="A difference after the boundary may be noise rather than a fault of the restore.",
        signature="Two controls differ. All tensors at the boundary are equal.",
        reported=_issue("NVIDIA/framework-reproducibility#25"),
        do="Seed every random generator, random.seed(0) and np.random.seed(0), and compute "
        "everything in a fixed order." + MEASURE_THE_NOISE,
        acceptable=False,
        about_the_control=True,
    ),
    "saving-changes-the-run": _changes_trajectory(
        "Saving changes the training that follows.",
        effect="trains differently after a save",
        sentence="Saving changes the training that follows: in a control that never saves, "
        "{first}.",
        detail="No restore is at fault.",
        signature="The control differs from an otherwise identical control that never saves.",
        reported=_pull("harubaru/waifu-diffusion#31"),
        do="Undo every side effect of the save: put back weights that it swaps for averages, and "
        "do not consume batches or random numbers of the training. Write copies: "
        "np.savez(path, **copy.deepcopy(tensors)).",
        about_the_control=True,
    ),
    "statistics-never-move": _breaks_training(
        "The moving means and variances of batch norm are never updated, not even in the control.",
        effect="does not update the moving means and variances",
        sentence="In the control itself, {count} of {total} "
        "{total:moving mean or variance|moving means and variances} never changed.",
        detail="The update of the moving averages never runs. The restore is not at fault: "
        "evaluation is wrong with or without a restart.",
        signature="The control's moving statistics keep one value from start to end.",
        reported=_issue("tensorflow/tensorflow#3926"),
        do="Update the statistics in each training step: "
        "mean += (1 - momentum) * (batch.mean(axis=0) - mean).",
        about_the_control=True,
    ),
    "shadows-never-move": _breaks_training(
        "The moving averages of the weights are never updated, not even in the control.",
        effect="does not update the moving averages",
        sentence="In the control itself, {count} of {total} "
        "{total:shadow variable|shadow variables} never changed, although weights did.",
        detail="The moving average is never applied. The restore is not at fault: an evaluation "
        "with these averages uses outdated weights.",
        signature="The control's shadow variables keep one value from start to end while its "
        "weights change.",
        reported=_issue("pytorch/pytorch#84053"),
        do="Update the averages in each training step, after the update of the weights: "
        "average += (1 - decay) * np.subtract(weight, average).",
        about_the_control=True,
    ),
    # --- The restore, or the run after it, raises ---------------------------------------------
    "shadows-not-in-checkpoint": _breaks_training(
        "The restore asks for moving averages of weights that were never created or never saved.",
        effect="asks for averages that were never saved",
        sentence="The restore asked for {count} shadow {count:variable|variables} that the "
        "checkpoint does not hold{count:: |, such as }{example}.",
        detail="ema.variables_to_restore() maps every trainable variable to its shadow, even if "
        "the moving average was never applied to it. {why}.",
        signature="The restore raises: keys of moving averages are missing from the checkpoint.",
        reported=_issue("tensorflow/tensorflow#11597"),
        do="Ask for what was saved: for the weights, not for their averages. np.load(path).files "
        "lists what a file holds, as does `ckptcheck inspect`.",
        acceptable=False,
    ),
    "keys-not-in-checkpoint": _breaks_training(
        "The restore asks for keys that the checkpoint does not hold.",
        effect="asks for keys missing from the checkpoint",
        sentence="The restore asked for {count} {count:key|keys} that the checkpoint does not "
        "hold{count:: |, such as }{example}.",
        signature="The restore raises: a key is missing from the checkpoint.",
        reported=_issue("paarthneekhara/text-to-image#52"),
        do="Save and restore the same variables under the same names. `ckptcheck inspect` lists "
        "the keys of a checkpoint, np.load(path).files those of an .npz file.",
        acceptable=False,
    ),
    "checkpoint-damaged": _breaks_training(
        "A file of the checkpoint is incomplete or corrupt.",
        effect="fails to read the checkpoint",
        sentence="The checkpoint cannot be read: {type}: {message}",
        signature="The restore raises a read error: data loss, out of range, a bad zip file, a "
        "truncated file.",
        reported=_issue("Lightning-AI/pytorch-lightning#688"),
        do="Write each checkpoint under a temporary name and rename it once it is complete: "
        "os.replace(temporary, path). Keep the previous checkpoint, and let a restart fall back to "
        "it.",
        acceptable=False,
    ),
    "restore-raised": _breaks_training(
        "The restore raises an exception.",
        effect="raises an exception",
        sentence="The restore raised {type}: {message}",
        signature="The restore raises, and neither missing keys nor damaged files explain it.",
        reported=_issue("tensorflow/tensorflow#11097"),
        do="Make the restore work in a new process that has built the model and done nothing else: "
        "build(), then restore(path). " + TRACEBACK,
        acceptable=False,
    ),
    "resumed-run-raised": _breaks_training(
        "The restore raises nothing, but the run raises an exception after it.",
        effect="raises an exception after the restore",
        sentence="The restore raised nothing, but the resumed run raised in {during}{step}: "
        "{type}: {message}",
        signature="The resumed run raises after its restore, where the control does not.",
        reported=_issue("cchen156/Learning-to-See-in-the-Dark#70"),
        do="Restore everything that training needs before the first step: restore(path), then "
        "train(). " + TRACEBACK,
        acceptable=False,
    ),
    # --- The checkpoint as a whole ------------------------------------------------------------
    "nothing-restored": _breaks_training(
        "Nothing was restored and no error was raised: training starts over.",
        effect="restores nothing at all",
        sentence="Nothing was restored: {count:the only tensor|all {count} tensors} that training "
        "had changed {count:has its initial value|have their initial values}.",
        signature="Every tensor has its initial value. With fixed seeds, each loss equals the "
        "control's loss of the same step number.",
        reported=_issue("tensorflow/tensorflow#35148"),
        do="Check that the restore is called, that it finds the checkpoint, path.is_file(), and "
        "that nothing initialises the variables after it.",
        acceptable=False,
    ),
    "initialised-again": _breaks_training(
        "An initialiser ran after the restore.",
        effect="is undone by an initialiser",
        sentence="The restore filled {count} {count:tensor|tensors}, but an initialiser overwrote "
        "them all: {initial} with initial values, the rest with new ones.",
        signature="Tensors that the restore asked for, and that the checkpoint holds, have initial "
        "values.",
        reported=_issue("deepchem/deepchem#1613"),
        do=INITIALISED_AFTER,
        acceptable=False,
    ),
    "older-checkpoint": _breaks_training(
        "An older checkpoint was restored instead of the newest one.",
        effect="restores an older checkpoint",
        sentence="{count} of {total} {total:tensor|tensors} {count:has its value|have their "
        "values} from an earlier save, after {older} {older:step|steps}.",
        detail="{what} is of step {older}. A checkpoint of step {boundary} was due.",
        signature="Tensors equal the control's values at an earlier save.",
        reported=_pull("google/flax#1200"),
        do="Restore the newest checkpoint. Sort file names by number, not by text: "
        "max(folder.glob('*.npz'), key=lambda path: int(path.stem)). Take the step from the "
        "restored state, not from a file name.",
    ),
    "updated-after-save": _changes_trajectory(
        "State was updated after the save: the checkpoint holds its value from before the update.",
        effect="restores state from before its last update",
        sentence="{count} of {total} {total:tensor|tensors} {count:was|were} updated after the "
        "save: the checkpoint holds {count:its value|their values} after {older} "
        "{older:step|steps}.",
        detail="The other tensors are of step {boundary}, as they should be.",
        signature="A few tensors have the control's values at the save before; all others are of "
        "the newest save.",
        reported=_issue("Lightning-AI/pytorch-lightning#1464"),
        do="Update this state before the save, not after it: update(state), then "
        "np.savez(path, **state).",
    ),
    "not-finite": _breaks_training(
        "A restored tensor holds NaN or infinity.",
        effect="restores NaN or infinity into {tensors}",
        sentence="{count} restored {count:tensor holds|tensors hold} NaN or infinity: {example}.",
        signature="NaN or infinity at the boundary, and not the control's own. In an optimizer "
        "slot, the first loss is equal and the next one is NaN.",
        reported=_issue("Rayhane-mamah/Tacotron-2#60"),
        do="Go back to a checkpoint without NaN or infinity. Check tensors before each save: "
        "np.isfinite(tensor).all().",
    ),
    "precision-lost": _changes_trajectory(
        "Values were rounded to a narrower dtype on their way through the checkpoint.",
        effect="rounds tensors to a narrower dtype",
        sentence="{count} of {total} {total:tensor|tensors} {count:was|were} rounded to {dtype}, "
        "by up to {apart:.3g}.",
        signature="Each restored value is the control's, rounded to the narrower dtype. All losses "
        "are slightly off.",
        reported=_issue("TensorAuto/OpenTau#184"),
        do="Save and restore in the dtype that training uses: np.savez(path, **tensors) keeps it. "
        "In mixed precision, save the float32 master weights.",
        loss_within=0.1,
    ),
    "rounding": _cosmetic(
        "Values differ only by the rounding of one or two operations.",
        effect="changes values by their rounding",
        sentence="{count} of {total} {total:tensor|tensors} {count:differs|differ} only in the "
        "last bits, by up to {apart:.3g}.",
        detail="Something was computed again, or in a different order. No state is lost, but the "
        "run does not continue bit for bit.",
        signature="Tensors differ by a few units in the last place at the boundary.",
        reported=_pull("keras-team/keras#18978"),
        do="Copy values, np.copyto(target, source), instead of computing them again."
        + ACCEPT_ROUNDING,
        loss_within=0.001,
    ),
    # --- Tensors, by kind ---------------------------------------------------------------------
    "tensors-missing": _breaks_training(
        "The resumed process has different tensors from the control: by name, dtype or shape.",
        effect="restores into different tensors",
        sentence="{count} {count:tensor does|tensors do} not match between the two processes: "
        "{example}.",
        signature="A tensor exists in one process only, or its dtype or shape differs.",
        reported=_issue("tensorflow/tensorflow#34950"),
        do="Build the same variables, with the same dtypes and shapes, before the restore: "
        "build(), then restore(path).",
        settled_by=(SAME_HASH,),
    ),
    "moving-statistics-lost": _breaks_training(
        "The moving means and variances of batch norm were not restored.",
        effect="loses the moving means and variances",
        sentence="{count} of {total} {total:moving mean or variance|moving means and variances} "
        "{where}.",
        detail="Evaluation normalises with them, so it is wrong from the restart on. The training "
        "loss does not show it, because training normalises with the batch.",
        signature="The evaluation loss is wrong at the boundary and returns to normal later. All "
        "training losses are equal.",
        reported=_issue("tensorflow/skflow#117"),
        starts_at=EVALUATION,
    ),
    "statistics-restarted": _breaks_training(
        "The moving statistics were restored, but their update starts from its initial value.",
        effect="restarts the update of moving statistics",
        sentence="{count} of {total} {total:moving mean or variance|moving means and variances} "
        "{count:equals the control's value|equal the control's values} at the boundary but not at "
        "the end.",
        detail="Every loss and weight is equal, so the update of the statistics itself differs "
        "after the restart. {beside}",
        signature="Statistics are equal at the boundary, and so are all training losses. "
        "Statistics and evaluation differ later.",
        reported=_issue("cweniger/falcon#115"),
        do="Keep what the update depends on in a saved variable, np.savez(path, updates=updates): "
        "a flag for the first update, a count, or the momentum.",
        starts_at=EVALUATION,
    ),
    "replicas-lost": _breaks_training(
        "Each replica has its own moving statistics, but those of only one were saved.",
        effect="restores replica 0's statistics to every replica",
        sentence="{count} of {total} "
        "{total:moving mean or variance|moving means and variances} of replicas "
        "{count:has the value|have the values} of replica 0.",
        detail="Each replica has its own statistics, but the checkpoint holds those of replica 0 "
        "only.",
        signature="Replica 0's statistics are equal. All other replicas have its values.",
        reported=_issue("tensorflow/tensorflow#46488"),
        do="Give all replicas the same statistics before each save: "
        "np.mean(statistics_of_replicas, axis=0). Or save those of every replica.",
        starts_at=EVALUATION,
    ),
    "shadows-in-weights": _breaks_training(
        "The weights were replaced by their moving averages.",
        effect="puts averages into the weights",
        sentence="{count} of {total} {total:weight|weights} {count:has the value of its moving "
        "average|have the values of their moving averages}.",
        detail="Averages in place of the weights are meant for evaluation. Training continues from "
        "different weights.",
        signature="Weights equal the control's shadow variables. The first loss is off.",
        reported=_pull("atomistic-machine-learning/schnetpack#785"),
        do="Save and restore the trained weights, np.savez(path, **weights). Use their averages "
        "for evaluation only.",
    ),
    "shadows-lost": _breaks_training(
        "The moving averages of the weights were not restored.",
        effect="loses the moving averages of the weights",
        sentence="{count} of {total} {total:shadow variable (moving average of a weight)|shadow "
        "variables (moving averages of weights)} {where}.",
        detail="The averages start from {start}.{seen}",
        signature="Only an evaluation with the averages shows it.",
        reported=_issue("m2lines/Samudra#282"),
        starts_at=EVALUATION,
    ),
    "weights-lost": _breaks_training(
        "Weights were not restored: the save did not reach them, or the load skipped them without "
        "an error.",
        effect="loses the trained weights",
        sentence="{count} of {total} {total:weight|weights} {where}.",
        detail="Their training so far is lost.",
        signature="Some weights have initial values. The first loss is off.",
        reported=_issue("keras-team/keras#18398"),
    ),
    "weights-scaled": _breaks_training(
        "The weights were rescaled: the restore ran an update.",
        effect="multiplies the weights by a factor",
        sentence="{count} of {total} {total:weight|weights} {count:equals its saved value|equal "
        "their saved values} times {factor}.",
        detail="The restore ran an optimizer step or applied weight decay.",
        signature="Weights differ from the control's by one common factor.",
        reported=_pull("pytorch/pytorch#125708"),
        do="Create the optimizer's state without a step, np.zeros_like(weight): run no step and "
        "apply no weight decay during the restore.",
    ),
    "weights-swapped": _breaks_training(
        "Weights of one shape were restored under each other's names.",
        effect="swaps weights with each other",
        sentence="{count} {count:tensor has|tensors have} the value of a different tensor: "
        "{example}.",
        signature="A weight equals the control's value of a different weight.",
        reported=_issue("tensorflow/tensorflow#11097"),
        do=RESTORE_BY_NAME,
        settled_by=(SAME_HASH,),
    ),
    "slots-swapped": _breaks_training(
        "Optimizer slots were restored to the wrong weights.",
        effect="swaps optimizer slots between weights",
        sentence="{count} optimizer {count:slot has|slots have} the value of a different slot: "
        "{example}.",
        signature="A slot equals the control's value of a different slot. The first loss is equal, "
        "the next one is not.",
        reported=_issue("pytorch/pytorch#1489"),
        do="Give the optimizer its weights in the same order in every process: sorted(names), "
        "never a set.",
        starts_at=FIRST_UPDATE,
        settled_by=(SAME_HASH,),
    ),
    "tensors-swapped": _breaks_training(
        "Tensors were restored with the values of different tensors.",
        effect="swaps tensors with each other",
        sentence="{count} {count:tensor has|tensors have} the value of a different tensor: "
        "{example}.",
        signature="A tensor equals the control's value of a different tensor.",
        reported=_issue("keras-team/keras#10777"),
        do=RESTORE_BY_NAME,
        settled_by=(SAME_HASH,),
    ),
    "slots-lost": _changes_trajectory(
        "The optimizer state (momentum, second moments) was not restored.",
        effect="loses the optimizer state",
        sentence="{count} of {total} optimizer {total:slot|slots} {where}.",
        detail="An optimizer acts after the loss of a step. Lost slots alone leave the first "
        "resumed loss equal and change every later one.",
        signature="The first loss is equal, all later losses differ.",
        reported=_issue("tensorflow/tensorflow#44670"),
        starts_at=FIRST_UPDATE,
    ),
    "loss-scale-lost": _changes_trajectory(
        "The loss scale of mixed precision, or its count of finite steps, was not restored.",
        effect="loses the loss scale",
        sentence="The loss scale starts from its initial value: {example}.",
        signature="The first loss is equal. The scale differs, and with it which steps are "
        "skipped.",
        reported=_issue("facebookresearch/metaseq#3"),
        starts_at=FIRST_UPDATE,
    ),
    "accumulators-lost": _changes_trajectory(
        "Gradients accumulated since the last update were not restored.",
        effect="loses the accumulated gradients",
        sentence="{count} of {total} gradient {total:accumulator|accumulators} {where}.",
        detail="The checkpoint was saved between two updates. The gradients of the steps since the "
        "last update are lost.",
        signature="The update after the restart differs, if the save was between two updates.",
        reported=_issue("huggingface/transformers#22143"),
        starts_at=FIRST_UPDATE,
    ),
    "hyperparameters-differ": _changes_trajectory(
        "A hyperparameter differs after the restart: it came from the program, not from the "
        "checkpoint.",
        effect="continues with different hyperparameters",
        sentence="{count} {count:hyperparameter differs|hyperparameters differ} from the "
        "control's: {example}.",
        signature="A hyperparameter differs at the boundary or in a step. The first loss is equal.",
        reported=_issue("pytorch/pytorch#65342"),
        do="Start the resumed run with the settings of the run that saved. Or save the settings, "
        "json.dump(settings, file), and check them in the restore.",
        starts_at=FIRST_UPDATE,
        settled_by=(REMEMBERED,),
    ),
    "generators-restarted": _changes_trajectory(
        "A random generator starts over: it draws the same numbers a second time.",
        effect="restarts the random generators",
        sentence="{count} of {total} random {total:generator|generators} {where}.",
        detail="Random numbers drawn after the restart, such as dropout masks, repeat earlier "
        "ones.",
        signature="The generator has its first state, or its draws are those of the run's start.",
        reported=_issue("keras-team/keras#19796"),
        starts_at=FIRST_STEP,
        do=GENERATORS,
    ),
    "generators-reseeded": _changes_trajectory(
        "A random generator neither continues nor starts over: it has a new seed.",
        effect="reseeds the random generators",
        sentence="{count} of {total} random {total:generator|generators} {where}.",
        detail="Random numbers drawn after the restart, such as dropout masks, come from a "
        "different random stream.",
        signature="The generator's state, or what it draws, occurs nowhere in the control.",
        reported=_issue("ecmwf/anemoi-core#2"),
        starts_at=FIRST_STEP,
        do=GENERATORS,
    ),
    "generators-shifted": _changes_trajectory(
        "A random generator resumes at a different position of its stream: numbers are skipped or "
        "repeated.",
        effect="shifts the random streams",
        sentence="{count} of {total} random {total:generator|generators} {count:has|have} the "
        "control's stream of numbers, at a different position.",
        detail="The program draws between the restore and the first step, or does not draw what "
        "the control drew there.",
        signature="The generator's state differs from the control's in its position alone. Batches "
        "are equal, unless they are drawn from it.",
        reported=_issue("NVIDIA-NeMo/Megatron-Bridge#5257"),
        starts_at=FIRST_STEP,
        do="Set the saved state where the run that saved had it: draw the same numbers between "
        "the restore, random.setstate(state), and the first step as between the save and the next "
        "step. Seed no generator after it.",
    ),
    "python-state-lost": _changes_trajectory(
        "State of Python objects, such as a counter or a callback, is not saved.",
        effect="loses the state of Python objects",
        sentence="State outside the variables was not restored: {example}.",
        detail="{experiment}",
        signature="Values computed from this state, such as the learning rate, differ. With the "
        "control's values inserted, they are equal.",
        reported=_issue("keras-team/keras#12803"),
        do="Keep this state in a saved variable, np.savez(path, wait=self.wait), or compute it "
        "from the restored step.",
        starts_at=FIRST_UPDATE,
        shown_by=REMEMBERED,
    ),
    "state-lost": _changes_trajectory(
        "A state tensor of any other kind was not restored.",
        effect="loses state tensors",
        sentence="{count} of {total} other state {total:tensor|tensors} {where}.",
        signature="Depends on what reads the tensor.",
        reported=_pull("AI-Hypercomputer/maxtext#4343"),
    ),
    "step-lost": _changes_trajectory(
        "The step counter was not restored.",
        effect="loses the step counter",
        sentence="The step counter is {resumed} instead of the control's {control}.",
        detail="Batches, schedules and warm-ups continue from there.",
        signature="The counter differs at the boundary. The first loss is equal unless the batch "
        "depends on the counter.",
        reported=_issue("wizyoung/YOLOv3_TensorFlow#94"),
    ),
    # --- Steps: data, draws, rates ------------------------------------------------------------
    "wrong-first-step": _changes_trajectory(
        "The resumed run starts with a different step from the control's next one.",
        effect="resumes at the wrong step",
        sentence="The control's next step is {control}, but the resumed run {what}.",
        detail="No lost counter explains it.",
        signature="The first step of the resumed process has a different number.",
        reported=_issue("Lightning-AI/pytorch-lightning#850"),
        do="Take the number of the next step from the restored state: int(np.load(path)['step']).",
    ),
    "wrong-last-step": _changes_trajectory(
        "The resumed run ends at a different step from the control's last one.",
        effect="ends at the wrong step",
        sentence="After the save, the control made {control} {control:step|steps}, but the resumed "
        "run {resumed}.",
        detail="It went on from the right step with the right state.",
        signature="All steps that both runs made are equal; one run made more.",
        reported=_issue("kohya-ss/sd-scripts#1999"),
        do="Save the number of finished steps or epochs, and train up to a total: "
        "range(done, total)." + END_AT_ONE_STEP,
        starts_at=NEVER,
    ),
    "data-restarted": _changes_trajectory(
        "The input pipeline starts again from its beginning.",
        effect="restarts the input pipeline",
        sentence="From step {step} on, the resumed run reads the control's batches from step "
        "{source} on: the data start again.",
        signature="The first batch is that of the first step of the epoch, or of the run.",
        reported=_issue("tensorflow/tensorflow#24408"),
        do=BY_STEP,
        starts_at=FIRST_STEP,
    ),
    "data-shifted": _changes_trajectory(
        "Batches are repeated or skipped: the input pipeline resumes at the wrong position.",
        effect="shifts the sequence of batches",
        sentence="From step {step} on, the resumed run reads the control's batches from step "
        "{source} on: {off}.",
        signature="The batches are the control's, shifted by a constant number of steps.",
        reported=_pull("Nerogar/OneTrainer#1465"),
        do="Skip as many batches as the finished steps used, gradient accumulation included: "
        "itertools.islice(batches, used, None). Take no other batch from the pipeline outside a "
        "training step.",
        starts_at=FIRST_STEP,
        about_the_data=True,
        settled_by=(SAME_HASH,),
    ),
    "data-order": _changes_trajectory(
        "The data come in a different order: that of an earlier epoch, or a new one.",
        effect="changes the shuffle order",
        sentence="{order}.",
        signature="The position in the epoch is right, but the shuffle order differs: at once, or "
        "from the next epoch on.",
        reported=_issue("tensorflow/tensorflow#48178"),
        do="Derive the shuffle order of each epoch from its number, "
        "np.random.default_rng((seed, epoch)).permutation(count), or save the state of the "
        "shuffle.",
        starts_at=FIRST_STEP,
        about_the_data=True,
        settled_by=(SAME_HASH,),
    ),
    "examples-lost": _changes_trajectory(
        "Some examples are skipped and others repeated: the content of a shuffle buffer was lost.",
        effect="skips some examples and repeats others",
        sentence="From step {step} to the end of the epoch, {lost} "
        "{lost:example was|examples were} skipped and {repeated} repeated.",
        signature="Batches contain the control's examples, but not those due at that step.",
        reported=_issue("huggingface/datasets#7901"),
        do="Shuffle the indices of the whole epoch by its number, "
        "np.random.default_rng((seed, epoch)).permutation(count), or save the state of the "
        "pipeline with its buffer.",
        starts_at=FIRST_STEP,
        about_the_data=True,
        settled_by=(SAME_HASH,),
    ),
    "depends-on-hash-order": _breaks_training(
        "A result depends on the order of a set or on hash(), which differs in each process.",
        effect="depends on the hash seed",
        sentence="With the control's PYTHONHASHSEED, the same restore {recovers}.",
        detail="A new process has a different hash seed. Something is encoded, numbered or ordered "
        "by a set or by hash(), such as a vocabulary or a label map.",
        signature="The restore recovers only in a process with the same PYTHONHASHSEED. Tensors "
        "are equal, inputs differ.",
        reported=_issue("keras-team/keras#4875"),
        do="Sort before numbering, with sorted(set(…)), and save vocabularies and label maps "
        "beside the checkpoint.",
        acceptable=False,
        shown_by=SAME_HASH,
    ),
    "batches-differ": _changes_trajectory(
        "The batches match nothing that the control read.",
        effect="reads different batches",
        sentence="The batches match nothing that the control read, first at step {step}.",
        detail="{why}",
        signature="Batches differ, and match no other batches of the control.",
        reported=_pull("keras-team/keras#22490"),
        do=BY_STEP + REPLAY_BUFFER,
        starts_at=FIRST_STEP,
        about_the_data=True,
        settled_by=(SAME_HASH,),
    ),
    "mode-differs": _breaks_training(
        "The resumed run trains in a different mode: in evaluation mode, or with frozen layers.",
        effect="continues in a different mode",
        sentence="{count} of {total} {total:tensor|tensors} {count:changes|change} in the control "
        "but not in the resumed run.",
        detail="Either {what}, or the update does not run.",
        signature="Tensors that the control's training changes do not change at all.",
        reported=_issue("keras-team/keras#12470"),
        do="Put the model back into training mode after the restore, such as with model.train(), "
        "and set trainable as it was before the save.",
        starts_at=FIRST_STEP,
    ),
    "learning-rate-differs": _changes_trajectory(
        "The learning rate differs: the position in its schedule is kept outside the checkpoint.",
        effect="continues with a different learning rate",
        sentence="The learning rate is {resumed} instead of the control's {control}, first at step "
        "{step}.",
        detail="{beside}",
        signature="The rate differs at once, or at the next change of the schedule. The loss of "
        "that step is still equal.",
        reported=_issue("tensorflow/tensorflow#49208"),
        do="Compute the learning rate from the restored step, rate = schedule(step), or save the "
        "state of the schedule.",
        starts_at=FIRST_UPDATE,
        settled_by=(REMEMBERED,),
    ),
    "sealed-generator": _breaks_training(
        "Layers draw from a generator that nothing can read or save.",
        effect="draws anew from a generator nothing can save",
        sentence="The dropout of {names} has a generator that nothing can save: the training loss "
        "of step {step} is {resumed!r} instead of {control!r}.",
        detail="Every tensor, batch and learning rate before it is equal.",
        signature="The first loss differs, on a device, though all that can be saved is restored, "
        "and two controls are equal.",
        reported=_issue("pytorch/pytorch#74177"),
        do="Draw in a layer of your own, from a generator that is saved: "
        "rng = np.random.default_rng(1).",
    ),
    "unexplained": _breaks_training(
        "The runs diverge, and nothing recorded explains why.",
        effect="diverges for no recorded reason",
        sentence="{example}.",
        detail="{hints}",
        signature="Everything compared before the first difference is equal.",
        reported=_issue("tensorflow/tensorflow#40342"),
        do=(
            Remedy(
                "Save everything that training needs, and restore all of it: "
                "state.update(np.load(path)). Random generators and the position in the data "
                "belong to it.",
                frameworks=("",),
                restores=(FILES_LEFT,),
            ),
            Remedy(
                "Look for state outside the compared tensors: attributes of Python objects, "
                "vars(trainer), random generators, the input pipeline."
            ),
        ),
        acceptable=False,
        settled_by=(SAME_HASH, REMEMBERED),
    ),
}
CAUSES: Mapping[str, Cause] = {
    name: replace(cause, name=name) for name, cause in _CATALOGUE.items()
}


def remedies_for(cause: Cause) -> tuple[Remedy, ...]:
    """Return the remedies of a cause, those of frameworks first; the first that fits is used."""
    return (*remedies_of(cause.name), *cause.remedies)


def remedy(
    cause: Cause,
    stage: Stage | None,
    framework: str = "",
    restore: str | None = None,
    tensors: Sequence[str] = (),
    sentence: str = "",
) -> str:
    """Return what to do when `restore` of a job on `framework` lost tensors at `stage`.

    Tensors with different remedies get one after the other. `sentence` is what was found: a remedy
    may be for one exception alone.
    """
    chosen: dict[Remedy, list[str]] = {}
    for tensor in tensors or ("",):
        fitting = (
            each
            for each in remedies_for(cause)
            if each.fits(framework, stage, restore, tensor, sentence)
        )
        chosen.setdefault(next(fitting), []).append(tensor)
    return " ".join(each.about(filter(None, named)) for each, named in chosen.items())


def diagnosis(
    cause: str, tensors: Sequence[str] = (), stage: Stage | None = None, **fields: Any
) -> Diagnosis:
    """Fill in a cause of the catalogue."""
    entry = CAUSES[cause]
    return Diagnosis(
        cause,
        stage.value if stage else None,
        filled(entry.sentence, **fields),
        remedy(entry, stage, tensors=tensors),
        tuple(tensors),
        filled(entry.detail, **fields).strip(),
        entry.severity.value,
    )
