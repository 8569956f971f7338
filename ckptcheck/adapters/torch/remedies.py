"""What to do with PyTorch, for each cause: as people write it who train with a loop of their own.

Each text names every call that the save and the restore need: the program may lack either. The
first remedy that fits is used, so that those of single tensors and stages come first.
"""

from collections.abc import Mapping

from ckptcheck.diagnosis.catalogue import ACCEPT_ROUNDING, END_AT_ONE_STEP, MEASURE_THE_NOISE
from ckptcheck.diagnosis.cause import Remedy, Stage
from ckptcheck.job.protocol import RANDOM

TORCH = ("torch",)
OMITTED, NOT_APPLIED = (Stage.OMITTED_AT_SAVE,), (Stage.NOT_APPLIED_AT_LOAD,)
OVERWRITTEN = (Stage.OVERWRITTEN_AFTER_LOAD,)
HELD = "The checkpoint holds {owners}, but the restore does not load all of it:"


def _of(text: str, *tensors: str, stages: tuple[Stage | None, ...] = ()) -> Remedy:
    return Remedy(text, TORCH, stages, tensors=tensors)


def _says(words: str, text: str) -> Remedy:
    """Return the remedy for an exception that says these words."""
    return Remedy(text, TORCH, says=words)


def _state_dict(key: str, owner: str, *tensors: str, further: str = "") -> tuple[Remedy, ...]:
    """Return the remedies for the state of an object that has a `state_dict`.

    Args:
        key: the key of that state in the checkpoint.
        owner: the name of the object in the calls.
        tensors: the patterns of its tensors; none: all.
        further: what else must be observed.
    """
    save = f'torch.save({{"{key}": {owner}.state_dict(), …}}, path)'
    load = f'{owner}.load_state_dict(checkpoint["{key}"])'
    return (
        _of(f"Save the state of {{owners}}, {save}, and load it: {load}.{further}", *tensors,
            stages=OMITTED),
        _of(f"{HELD} {load}.{further}", *tensors, stages=NOT_APPLIED),
        _of(
            f"Load the state of {{owners}} last, {load}: create it before, and assign nothing to "
            f"it afterwards.{further}",
            *tensors,
            stages=OVERWRITTEN,
        ),
        _of(f"Save the state of {{owners}}, {save}, and load it in the restore: {load}.{further}",
            *tensors),
    )  # fmt: skip


# --- State that an object holds ------------------------------------------------------------------

# A strict load raises where keys differ; the plain dictionary of parameters lacks the buffers.
MODEL = _state_dict(
    "model",
    "model",
    further=" Leave out strict=False, which skips what the names do not match.",
)
BUFFERS = _state_dict(
    "model",
    "model",
    further=" dict(model.named_parameters()) lacks the buffers, and strict=False skips them.",
)
SAME_MODEL = (
    "Build the model of the run that saved, and save and load the same one: "
    'model.load_state_dict(checkpoint["model"]). `module.` or `_orig_mod.` before each name is '
    "from DistributedDataParallel or torch.compile: save the inner model, "
    "model.module.state_dict() or model._orig_mod.state_dict()."
)
# The optimizer takes its state by the position of its parameters.
OPTIMIZER = _state_dict("optimizer", "optimizer", further=" Make no new optimizer after it.")
STATE_AS_SAVED = (
    "The optimizer's load_state_dict casts its state to the dtype of the parameters. Set the state "
    'again after it: for number, held in checkpoint["optimizer"]["state"].items(): '
    "optimizer.state[parameters[number]].update(held), where parameters is "
    '[each for group in optimizer.param_groups for each in group["params"]].'
)
SCHEDULER_FIRST = (
    " Create the scheduler before the optimizer's state is loaded: its constructor sets the rate."
)
SCHEDULER = _state_dict("scheduler", "scheduler", further=SCHEDULER_FIRST)
# What a scheduler counts and, as ReduceLROnPlateau, remembers.
OF_SCHEDULERS = _state_dict(
    "scheduler",
    "scheduler",
    "*/last_epoch",
    "*/best",
    "*/num_bad_epochs",
    "*/cooldown_counter",
    further=SCHEDULER_FIRST,
)
# What a scheduler sets in the groups of an optimizer.
FOLLOWS = _of("The settings of {owners} follow from that.", "*/group [0-9]*/*")
# A GradScaler without a scale yet, and one that is not enabled, have an empty state.
SCALER = _state_dict(
    "scaler", "scaler", further=" Create it with enabled=True, as in the run that saved."
)
AVERAGED = _state_dict(
    "ema",
    "ema",
    further=" Create it before: torch.optim.swa_utils.AveragedModel(model), copy.deepcopy(model).",
)
# Averages in a dictionary or list, which have no `state_dict`.
BY_HAND = (
    _of(
        'Save the averages with the model, torch.save({"ema": ema, …}, path), and restore them '
        'after they were created: for name, value in checkpoint["ema"].items(): '
        "ema[name].copy_(value). Of a list, take enumerate(…).",
        "*[[]*",
    ),
)

STATE_OF_MODULES = _state_dict(
    "model",
    "model",
    "*/*",
    further=" Leave out strict=False. No state_dict() holds buffers with persistent=False: "
    "register them without it.",
)
STATE_OF_THE_LOOP = _of(
    'Save the tensor, torch.save({"count": count, …}, path), and copy it back in the restore: '
    'count.copy_(checkpoint["count"]). Or make it a buffer of the model: '
    "self.register_buffer('count', count)."
)

# --- Generators ----------------------------------------------------------------------------------

_NO_SEED = " Seed nothing after it."
ROUND_TRIPS = {
    f"{RANDOM}torch": (
        "torch.get_rng_state()",
        'torch.set_rng_state(checkpoint["torch_rng"].cpu())',
        "torch_rng",
    ),
    f"{RANDOM}cuda:*": (
        "torch.cuda.get_rng_state_all()",
        'torch.cuda.set_rng_state_all([each.cpu() for each in checkpoint["cuda_rng"]])',
        "cuda_rng",
    ),
    f"{RANDOM}python": ("random.getstate()", 'random.setstate(checkpoint["python_rng"])',
                        "python_rng"),
    f"{RANDOM}numpy": ("np.random.get_state()", 'np.random.set_state(checkpoint["numpy_rng"])',
                       "numpy_rng"),
    f"{RANDOM}numpy/*": (
        "generator.bit_generator.state",
        'generator.bit_generator.state = checkpoint["generator"]',
        "generator",
    ),
    f"{RANDOM}*": ("generator.get_state()", 'generator.set_state(checkpoint["generator"])',
                   "generator"),
}  # fmt: skip


def _round_trip(pattern: str) -> Remedy:
    get, put, key = ROUND_TRIPS[pattern]
    needs = (
        " torch.load needs weights_only=False for it." if pattern == f"{RANDOM}numpy"
        else ""
    )  # fmt: skip
    return _of(
        f'Save the state of {{names}}, torch.save({{"{key}": {get}, …}}, path), and set it last in '
        f"the restore, before iter(loader): {put}.{needs}",
        pattern,
    )


DRAWS = _of(
    "Save the state of every generator that is drawn from, and set it last in the restore, before "
    "iter(loader): torch.get_rng_state(), torch.cuda.get_rng_state_all(), random.getstate(), "
    "np.random.get_state(), generator.get_state()." + _NO_SEED
)
# cuDNN keeps the dropout state of a recurrent network outside of every generator.
GENERATORS = (*map(_round_trip, ROUND_TRIPS), DRAWS)

# --- Data ----------------------------------------------------------------------------------------

# A loader draws the order of an epoch when it is iterated over, and nothing keeps its place.
BETWEEN_EPOCHS = (
    "Save between epochs, with the state of the generators that shuffle, torch.get_rng_state(), "
    'and set it in the restore, before iter(loader): torch.set_rng_state(checkpoint["torch_rng"]). '
    "A DistributedSampler needs the number of the epoch instead: sampler.set_epoch(epoch). "
    "For a save in the middle of an epoch, read through torchdata's StatefulDataLoader(dataset): "
    'save loader.state_dict(), call loader.load_state_dict(checkpoint["loader"]) before '
    "iter(loader), and set the generators only after the first batch was fetched."
)
ORDER = (
    "Shuffle by the number of the epoch: call generator.manual_seed(seed + epoch) before each "
    "epoch, with DataLoader(dataset, shuffle=True, generator=generator). With a "
    "DistributedSampler, call sampler.set_epoch(epoch). Start at the epoch after the saved one."
)
SKIP = (
    "Skip as many batches as the finished steps used, accumulated ones included: "
    "itertools.islice(loader, used, None). Take no other batch from the loader outside a training "
    "step: each iter(loader) draws a number."
)
RANDOM_BATCHES = (
    "Make each batch a function of (seed, step): "
    "torch.randint(count, (size,), generator=torch.Generator().manual_seed(seed + step)). "
    "Or save the state of the generators that draw them, torch.get_rng_state(), "
    "random.getstate(), np.random.get_state() or generator.bit_generator.state of a generator of "
    "the dataset, and set it right before the first batch is drawn. A replay buffer is in no "
    "checkpoint: save it, too."
)

REMEDIES: Mapping[str, tuple[Remedy, ...]] = {
    # --- The control itself ----------------------------------------------------------------------
    "noise": (
        _of(
            "Seed every random generator, torch.manual_seed(0), random.seed(0) and "
            "np.random.seed(0), and call torch.use_deterministic_algorithms(True). On a GPU, set "
            "torch.backends.cudnn.benchmark = False, and CUBLAS_WORKSPACE_CONFIG=:4096:8."
            + MEASURE_THE_NOISE
        ),
    ),
    "saving-changes-the-run": (
        _of(
            "Undo every side effect of the save: call model.train() after an evaluation, put back "
            "weights that were swapped for averages, and take no batch from the training loader. "
            "An evaluation that draws keeps the generators: with torch.random.fork_rng()."
        ),
    ),
    "statistics-never-move": (
        _of(
            "Train in training mode: call model.train() before each epoch, and after each "
            "evaluation. BatchNorm layers with momentum=0 keep their statistics, too."
        ),
    ),
    "shadows-never-move": (
        _of(
            "Update the averages in each training step, after optimizer.step(): "
            "averaged.update_parameters(model). If you average by hand, update the buffers, too: "
            "for average, value in zip(ema.buffers(), model.buffers()): average.copy_(value)."
        ),
    ),
    # --- The restore, or the run after it, raises ------------------------------------------------
    "shadows-not-in-checkpoint": (
        _of(
            'Save the averages under their own key, torch.save({"ema": averaged.state_dict(), '
            "…}, path). The names of an AveragedModel begin with `module.`: load them with "
            'averaged.load_state_dict(checkpoint["ema"]).'
        ),
    ),
    "keys-not-in-checkpoint": (_of(SAME_MODEL),),
    "checkpoint-damaged": (
        _of(
            "Write each checkpoint under a temporary name, torch.save(state, temporary), and "
            "rename it once it is complete: os.replace(temporary, path). Keep the previous "
            "checkpoint, and let a restart fall back to it."
        ),
    ),
    "restore-raised": (
        _says(
            "Weights only load failed",
            "The file holds more than tensors and plain Python. Load files of your own with "
            "torch.load(path, weights_only=False), which may run code from the file; in a "
            "TorchJob, set weights_only = False. Or save "
            "plain numbers and lists in place of the objects.",
        ),
        _says(
            "Attempting to deserialize",
            "Load onto the device at hand: torch.load(path, map_location=device). Runs on "
            "different devices do not continue bit for bit.",
        ),
        _says("loading state_dict", SAME_MODEL),
        _says(
            "parameter group",
            "Give the optimizer the same parameters in the same groups as in the run that saved: "
            "torch.optim.AdamW(model.parameters()). Freeze and add layers before it is created.",
        ),
    ),
    "resumed-run-raised": (
        _says(
            "same device",
            "Move the model to its device before the optimizer is created, model.to(device), and "
            "load with torch.load(path, map_location=device).",
        ),
        _says("dtype", STATE_AS_SAVED),
    ),
    # --- The checkpoint as a whole ---------------------------------------------------------------
    "nothing-restored": (
        _of(
            "Check that the restore finds the file, os.path.exists(path), that it loads it into "
            'the objects that train, model.load_state_dict(checkpoint["model"]), and that no new '
            "model is made after it. A checkpoint of `[]` or {} loads nothing with strict=False."
        ),
    ),
    "initialised-again": (
        _of(
            "Initialise before the restore, never after it: model.apply(init_weights), then "
            'model.load_state_dict(checkpoint["model"]). Make no new model after it.'
        ),
    ),
    "older-checkpoint": (
        _of(
            "Load your newest file. Sort file names by number, not by text: "
            "max(folder.glob('*.pt'), key=lambda path: int(path.stem)). Take the step from the "
            'restored state, checkpoint["step"], not from a file name.'
        ),
    ),
    "updated-after-save": (
        _of(
            "Update this state before the save: call scheduler.step() and "
            "averaged.update_parameters(model) before torch.save(state, path)."
        ),
    ),
    "not-finite": (
        _of(
            "Go back to a checkpoint without NaN or infinity. Check tensors before each save: "
            "torch.isfinite(tensor).all()."
        ),
    ),
    "precision-lost": (
        _of(STATE_AS_SAVED, "*/*/*"),
        _of(
            "Save and load in the dtype that training uses: no model.half() or "
            "model.to(torch.bfloat16) between torch.save(state, path) and the training. In mixed "
            "precision, keep float32 weights: torch.autocast(device, torch.bfloat16)."
        ),
    ),
    "rounding": (
        _of(
            "Copy values, value.copy_(saved), instead of computing them again. Or save averages "
            f"and their weights as they are, without swapping.{ACCEPT_ROUNDING}"
        ),
    ),
    # --- Tensors, by kind ------------------------------------------------------------------------
    "tensors-missing": (
        _of(
            "Build the same modules and optimizers, with the same dtypes and shapes, before the "
            "restore: model(batch) creates lazy layers. Then call "
            'model.load_state_dict(checkpoint["model"]).'
        ),
    ),
    "moving-statistics-lost": BUFFERS,
    "weights-lost": MODEL,
    "statistics-restarted": (
        _of(
            "Keep what the update depends on in a buffer, self.register_buffer('updates', "
            "torch.zeros(())): a flag for the first update, a count, or the momentum."
        ),
    ),
    "replicas-lost": (
        _of(
            "Share the statistics among processes: "
            "torch.nn.SyncBatchNorm.convert_sync_batchnorm(model) computes them over the batches "
            "of all. Or save and load the buffers of each process."
        ),
    ),
    "shadows-in-weights": (
        _of(
            "Save and load the trained weights, model.state_dict(), and their averages beside "
            "them, averaged.state_dict(). Where an evaluation swaps averages in, swap back before "
            "the save."
        ),
    ),
    "shadows-lost": (*BY_HAND, *AVERAGED),
    "weights-scaled": (
        _of(
            'Run nothing but model.load_state_dict(checkpoint["model"]) in the restore: no '
            "optimizer.step(), and no weight decay."
        ),
    ),
    "slots-swapped": (
        _of(
            "Give the optimizer its parameters in the same order in every process, "
            "torch.optim.AdamW(model.parameters()), never from a set: its state is loaded by "
            "position."
        ),
    ),
    **dict.fromkeys(
        ("weights-swapped", "tensors-swapped"),
        (
            _of(
                'Load by name, model.load_state_dict(checkpoint["model"]), never by position '
                "as with zip(model.parameters(), saved). Build lists of layers in the same order "
                "in every process."
            ),
        ),
    ),
    "slots-lost": OPTIMIZER,
    "loss-scale-lost": SCALER,
    "accumulators-lost": (
        _of(
            "Save right after optimizer.step() and optimizer.zero_grad(), when no gradient is "
            "accumulated. Or save each parameter.grad, too, and set it in the restore."
        ),
    ),
    "hyperparameters-differ": SCHEDULER,
    "generators-restarted": GENERATORS,
    "generators-reseeded": GENERATORS,
    "generators-shifted": (
        _of(
            "Set the state of {names} where the run that saved had it. Of a save between epochs: "
            "last in the restore, before iter(loader). Of a save in mid-epoch: once the first "
            "batch was fetched, since each iter(loader) draws a number from the global generator, "
            "whether it shuffles or not. Or give each loader its own generator: "
            "DataLoader(dataset, generator=torch.Generator()). Seed nothing after the restore."
        ),
    ),
    "python-state-lost": (
        *OF_SCHEDULERS,
        _of(
            'Save the numbers and lists that the loop remembers, torch.save({"best": best, '
            '"epoch": epoch, …}, path), and set them in the restore: '
            'best = checkpoint["best"], or object.__dict__.update(checkpoint["object"]).'
        ),
    ),
    "state-lost": (*STATE_OF_MODULES, STATE_OF_THE_LOOP),
    "step-lost": (*OF_SCHEDULERS, FOLLOWS, *OPTIMIZER),
    # --- Steps: data, draws, rates ---------------------------------------------------------------
    "wrong-first-step": (
        _of(
            'Save the number of the next step or epoch, torch.save({"step": step + 1, …}, '
            'path), and begin with it: range(checkpoint["step"], total).'
        ),
    ),
    "wrong-last-step": (
        _of(
            "Save the number of finished steps or epochs, and train up to a total: "
            f'range(checkpoint["step"], total).{END_AT_ONE_STEP}'
        ),
    ),
    "data-restarted": (_of(BETWEEN_EPOCHS),),
    "data-order": (_of(ORDER),),
    "examples-lost": (_of(BETWEEN_EPOCHS),),
    "batches-differ": (_of(RANDOM_BATCHES),),
    "data-shifted": (_of(SKIP),),
    "depends-on-hash-order": (
        _of(
            "Sort before numbering, sorted(set(words)), and save vocabularies and label maps with "
            'the model: torch.save({"vocabulary": vocabulary, …}, path).'
        ),
    ),
    "mode-differs": (
        _of(
            "Call model.train() after the restore, and set parameter.requires_grad as it was at "
            "the save, before the optimizer is created."
        ),
    ),
    "learning-rate-differs": (
        _of(
            "Create the scheduler before the restore: its constructor sets the rate anew. Then "
            'load both, scheduler.load_state_dict(checkpoint["scheduler"]) and last '
            'optimizer.load_state_dict(checkpoint["optimizer"]), and call scheduler.step() before '
            "the save, not after it."
        ),
    ),
    "sealed-generator": (
        _of(
            "Use nn.Dropout between recurrent layers of one layer each: cuDNN keeps the state of "
            "the dropout of nn.LSTM(dropout=p) to itself, and no setting makes it go on."
        ),
    ),
    "unexplained": (
        _of(
            "Look for state outside of modules and optimizers: attributes of Python objects, "
            "vars(trainer), generators, and the position in the data."
        ),
    ),
}
