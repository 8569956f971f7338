"""The suites: recipes to copy, and the outcome of each restore. Imports no framework.

The recipe keras/tf-data is the class `TfData` in `keras.py` beside this file, and so on. The recipe
torch/mid-epoch is the script `torch/mid_epoch.py`, and torch/mid-epoch-fixed the same `--fixed`.
"""

from collections.abc import Mapping

from ckptcheck.job.shipped import ShippedCommand, ShippedJob
from ckptcheck.jobs.options import RecipeOptions
from ckptcheck.outcomes import DIVERGED as D
from ckptcheck.outcomes import RECOVERED as R

# The only restore of a script: it is started again.
RESTART = "restart"

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

# What a script loses, the outcome, and its fix; without a fix, it has no twin.
TORCH = {
    "shuffle": (
        "Shuffled batches and dropout; the file holds model, optimizer, scheduler and epoch.",
        D,
        "torch.get_rng_state() in the file.",
    ),
    "loader-generator": (
        "DataLoader(generator=g): g is in no state_dict.",
        D,
        "g.get_state() in the file.",
    ),
    "stateful-loader": (
        "A StatefulDataLoader saved within an epoch; iter(loader) draws from the generator that "
        "was restored before.",
        D,
        "restore the generator after iter(loader).",
    ),
    "mid-epoch": (
        "Saved within an epoch, which then starts again.",
        D,
        "skip the batches that were read.",
    ),
    "scheduler-last": (
        "A scheduler built after optimizer.load_state_dict sets the first learning rate again.",
        D,
        "build it first.",
    ),
    "random-batches": (
        "Batches at random places, as in nanoGPT; the generator is not saved.",
        D,
        "seed a generator by the step.",
    ),
    "grad-scaler": (
        "Mixed precision; the GradScaler is not saved.",
        D,
        "scaler.state_dict() in the file.",
    ),
    "averages": (
        "An AveragedModel that is not saved.",
        D,
        "averaged.state_dict() in the file.",
    ),
    "averaged-weights": (
        "The averages are saved as the weights, and training resumes from them.",
        D,
        "save the weights and the averages.",
    ),
    "bfloat16": (
        "Weights in bfloat16, momentum in float32; optimizer.load_state_dict casts the momentum.",
        D,
        "put the saved momentum back after it.",
    ),
    "buffer": (
        "Running statistics in register_buffer(persistent=False).",
        D,
        "persistent=True.",
    ),
}
LIGHTNING = {
    "shuffle": (
        "DataLoader(shuffle=True), saved after each epoch; Lightning saves no random generator.",
        D,
        "DistributedSampler(num_replicas=1, rank=0), whose order follows from the epoch.",
    ),
    "dropout": (
        "The same sampler, and dropout, whose generator is not saved.",
        D,
        "a callback that restores the generator in on_fit_start.",
    ),
    "generators-late": (
        "A callback restores the generator in on_train_start, after the order of the epoch was "
        "drawn.",
        D,
        "in on_fit_start.",
    ),
    "mid-epoch": (
        "ModelCheckpoint(every_n_train_steps=4) with shuffle=True, saved within an epoch.",
        D,
        "a StatefulDataLoader, and the generator restored at the first batch.",
    ),
    "stateful-loader": (
        "A StatefulDataLoader, saved after each epoch, replays one.",
        D,
        "the sampler whose order follows from the epoch.",
    ),
    "estimated-steps": (
        "trainer.estimated_stepping_batches, read in configure_optimizers.",
        D,
        "give the number of steps.",
    ),
    "load-from-checkpoint": (
        "load_from_checkpoint, then fit without ckpt_path: only the weights are restored.",
        D,
        "fit(ckpt_path=…).",
    ),
    "weights-only": (
        "ModelCheckpoint(save_weights_only=True): fit(ckpt_path=…) raises an error.",
        D,
        "save_weights_only=False.",
    ),
    "averages": (
        "A callback with moving averages of the weights, without state_dict.",
        D,
        "EMAWeightAveraging.",
    ),
    "callback": (
        "A callback that warms the learning rate up by a count of its own.",
        D,
        "state_dict and load_state_dict in the callback.",
    ),
}
TRANSFORMERS = {
    "dropout": (
        "Dropout, saved within an epoch: the Trainer keeps the generators and skips what was read.",
        R,
        None,
    ),
    "augmentation": (
        "Random augmentation, saved within an epoch: the batches that are skipped draw no noise.",
        D,
        "seed the noise by the index.",
    ),
    "augmentation-workers": (
        "The same in two workers, whose seeds are drawn again.",
        D,
        "seed the noise by the index.",
    ),
    "ignore-data-skip": (
        "ignore_data_skip=True, saved within an epoch, which then starts again.",
        D,
        "leave it off.",
    ),
    "early-stopping": (
        "EarlyStoppingCallback: how long it has waited is saved, and not restored.",
        D,
        "restore_callback_states_from_checkpoint=True.",
    ),
    "save-only-model": (
        "save_only_model=True: no optimizer, no schedule, no generators.",
        D,
        "leave it off.",
    ),
    "from-pretrained": (
        "The weights of the last checkpoint in a new Trainer: all else begins anew.",
        D,
        "train(resume_from_checkpoint=…).",
    ),
    "averages": (
        "A callback with moving averages of the weights, which are in no file.",
        D,
        "save them in on_save.",
    ),
}
ACCELERATE = {
    "epochs": (
        "save_state after each epoch: the order follows from generators that it keeps.",
        R,
        None,
    ),
    "skip-first-batches": (
        "skip_first_batches within an epoch: the order is drawn again.",
        D,
        "use_seedable_sampler=True and set_epoch.",
    ),
    "seedable-sampler": (
        "use_seedable_sampler=True without set_epoch: the order of the first epoch again.",
        D,
        "loader.set_epoch(epoch).",
    ),
    "generators-early": (
        "skip_first_batches and dropout: iter(loader) draws from the generator that load_state "
        "restored.",
        D,
        "restore the generator after the first batch was fetched.",
    ),
    "stateful-loader": (
        "use_stateful_dataloader=True, saved after each epoch.",
        D,
        "use_seedable_sampler=True and set_epoch.",
    ),
    "averages": (
        "An AveragedModel that save_state does not know.",
        D,
        "register_for_checkpointing(averaged).",
    ),
    "scheduler": (
        "A scheduler that was not prepared, and that save_state does not know.",
        D,
        "register_for_checkpointing(scheduler).",
    ),
    "save-model": (
        "save_model keeps the weights alone.",
        D,
        "save_state.",
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


# The packages that a script imports besides those of its suite.
_NEEDS = {
    "torch/stateful-loader": ("torchdata",),
    "lightning/mid-epoch": ("torchdata",),
    "lightning/stateful-loader": ("torchdata",),
    "lightning/estimated-steps": ("torchdata",),
    "accelerate/stateful-loader": ("torchdata",),
    "transformers/from-pretrained": ("safetensors",),
}


def _scripts(
    library: str, recipes: Mapping[str, tuple[str, str, str | None]], *packages: str
) -> tuple[ShippedCommand, ...]:
    def command(name: str, outcome: str, summary: str, *arguments: str) -> ShippedCommand:
        suite = packages[-1]
        module = f"ckptcheck.jobs.recipes.{suite}.{name.replace('-', '_')}"
        called = f"{suite}/{name}{'-fixed' if arguments else ''}"
        needs = (*packages, *_NEEDS.get(f"{suite}/{name}", ()))
        expected = {RESTART: outcome}
        return ShippedCommand(called, module, arguments, summary, expected, library, needs)

    commands = []
    for name, (lost, outcome, fix) in recipes.items():
        commands.append(command(name, outcome, lost))
        if fix is not None:
            commands.append(command(name, R, f"Fixed: {fix}", "--fixed"))
    return tuple(commands)


SUITES: Mapping[str, tuple[ShippedJob | ShippedCommand, ...]] = {
    "keras": _suite("keras", KERAS),
    "tf2": _suite("tf2", TF2),
    "torch": _scripts("PyTorch", TORCH, "torch"),
    "lightning": _scripts("Lightning", LIGHTNING, "torch", "lightning"),
    "transformers": _scripts("Transformers", TRANSFORMERS, "torch", "accelerate", "transformers"),
    "accelerate": _scripts("Accelerate", ACCELERATE, "torch", "accelerate"),
}
