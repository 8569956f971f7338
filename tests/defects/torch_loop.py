"""Defects planted in a PyTorch loop: wrong restores, checkpoints without a part, wrong loops.

One control saves a checkpoint of everything, and others without some parts. Each restore of `Loop`
reads one of them, and changes something before or after.
"""

import copy
import random
import time
from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn, optim
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from ways import NEVER, NOT_APPLIED, OMITTED, OVERWRITTEN, RESTARTED, Way, clean, defect, pair

from ckptcheck import Step
from ckptcheck.adapters.torch import TorchJob

BATCH, STEPS, FEATURES, CLASSES = 16, 6, 12, 3


def falling(count: int) -> float:
    return 0.95**count


def in_two_parts(count: int) -> float:
    return 1.0 if count < 9 else 0.3


# Names, shapes, optimizers and schedules vary, so that no diagnosis can depend on one of them.
VARIANTS: tuple[dict[str, Any], ...] = (
    {
        "names": ("hidden", "norm", "mid", "twin", "out"),
        "units": 8,
        "norm": nn.BatchNorm1d,
        "optimizer": lambda weights: optim.AdamW(weights, 0.01, amsgrad=True),
        "scheduler": lambda optimizer: optim.lr_scheduler.LambdaLR(optimizer, falling),
    },
    {
        "names": ("a", "z_9", "q", "r", "logits"),
        "units": 5,
        "norm": partial(nn.BatchNorm1d, momentum=0.3),
        "optimizer": lambda weights: optim.RMSprop(
            weights, 0.01, momentum=0.5, centered=True, weight_decay=1e-4
        ),
        "scheduler": lambda optimizer: optim.lr_scheduler.LambdaLR(optimizer, in_two_parts),
    },
    {
        "names": ("Encoder", "Standardise", "Bridge", "Second", "Head"),
        "units": 7,
        "norm": partial(nn.BatchNorm1d, affine=False),
        "optimizer": lambda weights: optim.RAdam(weights, 0.02, weight_decay=1e-3),
        "scheduler": lambda optimizer: optim.lr_scheduler.CosineAnnealingWarmRestarts(
            optimizer, 40
        ),
    },
)


class Loop(TorchJob):
    """A network with an average, a schedule, a gradient scaler and four generators."""

    ways: Mapping[str, Way]
    steps_per_epoch = STEPS
    weights_only = False

    def __init__(self, variant: int = 0) -> None:
        self.variant = VARIANTS[variant]

    # --- The job ---

    def make_model(self) -> Any:
        first, norm, mid, twin, last = self.variant["names"]
        units = self.variant["units"]
        self.norm = self.variant["norm"](units)
        self.mid, self.twin = nn.Linear(units, units), nn.Linear(units, units)  # of one shape
        layers = [
            (first, nn.Linear(FEATURES, units)),
            (norm, self.norm),
            ("act", nn.Tanh()),
            ("drop", nn.Dropout(0.2)),
            (mid, self.mid),
            (twin, self.twin),
            ("relu", nn.ReLU()),
            (last, nn.Linear(units, CLASSES)),
        ]
        model = nn.Sequential(OrderedDict(layers))
        model.register_buffer("extra", torch.zeros(3))
        return model

    def setup(self) -> Mapping[str, Any]:
        torch.set_num_threads(1)  # the network is small, and runs go on side by side
        draw = torch.Generator().manual_seed(3)
        self.x = torch.randn(BATCH * STEPS, FEATURES, generator=draw)
        self.y = torch.randint(CLASSES, (BATCH * STEPS,), generator=draw)
        self.model = self.make_model()
        self.averaged = self.make_average()
        self.optimizer = self.variant["optimizer"](self.model.parameters())
        self.scheduler = self.variant["scheduler"](self.optimizer)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=4)
        self.noise = torch.Generator().manual_seed(5)
        self.step = 0
        self.fresh = copy.deepcopy(self.model.state_dict())
        self.shift, self.penalty, self.epoch_of = 0, 0.0, lambda step: step // STEPS
        return self.parts()

    def parts(self) -> dict[str, Any]:
        names = ("model", "averaged", "optimizer", "scheduler", "scaler", "noise", "step")
        return {name: getattr(self, name) for name in names} | {
            "torch": (torch.get_rng_state, torch.set_rng_state),
            "numpy": (np.random.get_state, np.random.set_state),
            "python": (random.getstate, random.setstate),
        }

    def make_average(self) -> Any:
        return AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(0.9))

    def labels(self) -> Any:
        return self.y

    def batch(self, step: int) -> tuple[Any, Any]:
        """Return a batch of the epoch's order, which follows from the number of the epoch."""
        step += self.shift
        order = torch.Generator().manual_seed(self.epoch_of(step))
        rows = torch.randperm(len(self.x), generator=order)[step % STEPS * BATCH :][:BATCH]
        return self.x[rows], self.labels()[rows]

    def loss(self, x: Any, y: Any) -> Any:
        moved = x + 0.1 * torch.randn(x.shape, generator=self.noise)
        moved = moved * float(np.random.uniform(0.9, 1.1)) + random.uniform(0, 0.1)
        loss = functional.cross_entropy(self.model(moved), y)
        return loss + self.penalty * self.mid.weight.square().sum()

    def train(self, step: int) -> Step:
        x, y = self.batch(step)
        loss = self.loss(x, y)
        self.update(loss)
        self.model.extra.add_(x.mean(0)[:3])
        self.step += 1
        return Step(loss, batch=[x, y])

    def update(self, loss: Any) -> None:
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.scheduler.step()
        self.average()

    def average(self) -> None:
        self.averaged.update_parameters(self.model)

    def evaluate(self) -> Any:
        with torch.no_grad():
            losses = [
                functional.cross_entropy(net.eval()(self.x), self.labels())
                for net in (self.model, self.averaged)
            ]
        return sum(losses)

    # --- Checkpoints ---

    @property
    def restores(self) -> tuple[str, ...]:  # type: ignore[override]  # of a base that has an attribute
        return tuple(self.ways)

    def save(self, folder: Path, step: int) -> None:
        whole = folder / "whole"
        whole.mkdir(exist_ok=True)
        super().save(whole, step)
        saved = torch.load(whole / f"{step}.pt", weights_only=False)
        for without in {tuple(sorted(way.how[0])) for way in self.ways.values()} - {()}:
            place = folder / "-".join(without)
            place.mkdir(exist_ok=True)
            kept = {name: each for name, each in saved.items() if name not in without}
            torch.save(kept, place / f"{step}.pt")

    def restore(self, folder: Path, restore: str) -> Any:
        without, *changes = self.ways[restore].how
        self.place = Path(folder) / ("-".join(sorted(without)) or "whole")
        self.names = [name for name in self.parts() if name not in without]
        for change in (each for each in changes if each in BEFORE):
            change(self)
        restored = self.load(self.place, *self.names) if self.names else None
        for change in (each for each in changes if each not in BEFORE):
            change(self)
        return restored


# --- Changes before the restore ---


def not_finding_the_file(job: Any) -> None:
    job.names = []


def asking_for_no_model(job: Any) -> None:
    job.names.remove("model")


def asking_for_no_optimizer(job: Any) -> None:
    job.names.remove("optimizer")


def asking_for_no_average(job: Any) -> None:
    job.names.remove("averaged")


def one_key_missing(job: Any) -> None:
    """The network has a layer more, and the load is strict."""
    job.model.append(nn.Linear(CLASSES, CLASSES))


def loading_loosely(job: Any) -> None:
    """The file has other names for a layer, and `strict=False` skips it."""
    mid = job.variant["names"][2]
    for path in job.place.glob("*.pt"):
        saved = torch.load(path, weights_only=False)
        renamed = {name.replace(f"{mid}.", "was."): each for name, each in saved["model"].items()}
        torch.save(saved | {"model": renamed}, path)
    job.model.load_state_dict = partial(job.model.load_state_dict, strict=False)


def older_file(job: Any) -> None:
    """Takes the first file by name: `12.pt` of `12.pt` and `15.pt`."""
    newest = max(job.place.glob("*.pt"), key=lambda path: int(path.stem))
    newest.unlink()


def truncating_the_file(job: Any) -> None:
    for each in job.place.glob("*.pt"):
        each.write_bytes(each.read_bytes()[: each.stat().st_size // 2])


BEFORE = (
    not_finding_the_file,
    asking_for_no_model,
    asking_for_no_optimizer,
    asking_for_no_average,
    one_key_missing,
    loading_loosely,
    older_file,
    truncating_the_file,
)


# --- Changes after the restore ---


def held(job: Any, parameter: Any) -> dict[str, Any]:
    """Return the state of a parameter in the optimizer, without its count."""
    state = job.optimizer.state[parameter]
    return {name: each for name, each in state.items() if name != "step"}


def initialising_again(job: Any) -> None:
    """Makes the weights again, from the seed of the program."""
    job.model.load_state_dict(job.fresh)


def resetting_statistics(job: Any) -> None:
    job.norm.reset_running_stats()


def exchange(one: Any, other: Any) -> None:
    kept = one.detach().clone()
    with torch.no_grad():
        one.copy_(other)
        other.copy_(kept)


def exchanging_weights(job: Any) -> None:
    exchange(job.mid.weight, job.twin.weight)


def exchanging_statistics(job: Any) -> None:
    exchange(job.norm.running_mean, job.norm.running_var)


def exchanging_moments(job: Any) -> None:
    one, other = held(job, job.mid.weight), held(job, job.twin.weight)
    for name in one:
        exchange(one[name], other[name])


def clearing_the_optimizer(job: Any) -> None:
    job.optimizer.state.clear()


def zeroing_a_moment(job: Any) -> None:
    next(iter(held(job, job.mid.weight).values())).zero_()


def zeroing_the_counts(job: Any) -> None:
    for state in job.optimizer.state.values():
        state["step"].zero_()


def narrow(tensor: Any) -> Any:
    return tensor.detach().bfloat16().to(tensor.dtype)


def narrowing_moments(job: Any) -> None:
    for parameter in job.model.parameters():
        for each in held(job, parameter).values():
            each.copy_(narrow(each))


def narrowing_weights(job: Any) -> None:
    with torch.no_grad():
        for each in job.model.parameters():
            each.copy_(narrow(each))


def nan_in_a_moment(job: Any) -> None:
    next(iter(held(job, job.mid.weight).values()))[0, 0] = torch.nan


def decaying(job: Any) -> None:
    with torch.no_grad():
        for each in job.model.parameters():
            each.mul_(0.99)


def averages_from_weights(job: Any) -> None:
    """Initialises the average with the restored weights, as a new one is."""
    job.averaged = job.make_average()


def weights_from_averages(job: Any) -> None:
    with torch.no_grad():
        for each, average in zip(job.model.parameters(), job.averaged.parameters(), strict=True):
            each.copy_(average)


def averaging_anew(job: Any) -> None:
    """The first update of an `AveragedModel` copies the weights."""
    job.averaged.n_averaged.zero_()


def new_scheduler(job: Any) -> None:
    """A scheduler sets the rate of its optimizer when it is made."""
    job.scheduler = job.variant["scheduler"](job.optimizer)


def scheduler_made_after_the_load(job: Any) -> None:
    """The scheduler takes up its count, but the rate of the optimizer is the first one again."""
    saved = job.scheduler.state_dict()
    new_scheduler(job)
    job.scheduler.load_state_dict(saved)


def one_more_step_of_the_scheduler(job: Any) -> None:
    job.scheduler.step()


def other_rate(job: Any) -> None:
    for group in job.optimizer.param_groups:
        group["lr"] *= 0.5


def other_decay(job: Any) -> None:
    for group in job.optimizer.param_groups:
        group["weight_decay"] = 0.3


def emptying_the_extra_buffer(job: Any) -> None:
    job.model.extra.zero_()


def drawing_once(job: Any) -> None:
    """Draws before the first step, as `iter(loader)` does."""
    torch.empty((), dtype=torch.int64).random_()


def seeding_torch(job: Any) -> None:
    torch.manual_seed(time.time_ns() % 10**9)


def seeding_numpy(job: Any) -> None:
    np.random.seed(time.time_ns() % 10**9)


def seeding_python(job: Any) -> None:
    random.seed(time.time_ns())


def seeding_the_noise(job: Any) -> None:
    job.noise.manual_seed(time.time_ns() % 10**9)


def skipping_a_batch(job: Any) -> None:
    job.shift = 1


def repeating_a_batch(job: Any) -> None:
    job.shift = -1


def restarting_the_data(job: Any) -> None:
    job.shift = -job.step


def order_of_the_first_epoch(job: Any) -> None:
    job.epoch_of = lambda step: 0


def other_data(job: Any) -> None:
    job.x = torch.randn(job.x.shape, generator=torch.Generator().manual_seed(77))


def one_step_back(job: Any) -> None:
    job.step -= 1


def beginning_a_step_early(job: Any) -> None:
    job.next_step = lambda: job.step - 1


def evaluation_mode(job: Any) -> None:
    job.model.eval()


def freezing(job: Any) -> None:
    job.mid.requires_grad_(False)


def hidden_penalty(job: Any) -> None:
    """A number in the program is added to the loss."""
    job.penalty = 1e-3


def raising(job: Any) -> None:
    def loss(*arguments: Any) -> None:
        raise RuntimeError("no more of this")

    job.loss = loss


def refusing(job: Any) -> None:
    raise ValueError("this checkpoint is of version 1, this program reads version 2")


def other_dtype(job: Any) -> None:
    job.model.extra = job.model.extra.double()


# restore → expected causes, parts left out of the checkpoint, *changes.
Loop.ways = {
    "whole": clean(()),
    "model-left-out": defect(
        [("moving-statistics-lost", OMITTED), ("state-lost", OMITTED), ("weights-lost", OMITTED)],
        ("model",),
    ),
    "model-not-asked-for": defect(
        [
            ("moving-statistics-lost", NOT_APPLIED),
            ("state-lost", NOT_APPLIED),
            ("weights-lost", NOT_APPLIED),
        ],
        (),
        asking_for_no_model,
    ),
    "layer-skipped": defect([("weights-lost", NOT_APPLIED)], (), loading_loosely),
    "initialised-after": defect(
        [
            ("moving-statistics-lost", OVERWRITTEN),
            ("state-lost", OVERWRITTEN),
            ("weights-lost", OVERWRITTEN),
        ],
        (),
        initialising_again,
    ),
    "statistics-reset": defect([("moving-statistics-lost", OVERWRITTEN)], (), resetting_statistics),
    "weights-exchanged": defect([("weights-swapped", None)], (), exchanging_weights),
    "statistics-exchanged": defect([("tensors-swapped", None)], (), exchanging_statistics),
    "weights-narrowed": defect([("precision-lost", OVERWRITTEN)], (), narrowing_weights),
    "weights-decayed": defect([("weights-scaled", OVERWRITTEN)], (), decaying),
    "buffer-emptied": defect([("state-lost", OVERWRITTEN)], (), emptying_the_extra_buffer),
    "other-dtype": defect([("tensors-missing", None)], (), other_dtype),
    "optimizer-left-out": defect(
        [("slots-lost", OMITTED), ("step-lost", OMITTED), ("learning-rate-differs", None)],
        ("optimizer",),
    ),
    "optimizer-not-asked-for": defect(
        [("slots-lost", NOT_APPLIED), ("step-lost", NOT_APPLIED), ("learning-rate-differs", None)],
        (),
        asking_for_no_optimizer,
    ),
    "optimizer-cleared": defect(
        [("slots-lost", NOT_APPLIED), ("step-lost", NOT_APPLIED)], (), clearing_the_optimizer
    ),
    "moment-zeroed": defect([("slots-lost", OVERWRITTEN)], (), zeroing_a_moment),
    "moments-exchanged": defect([("slots-swapped", None)], (), exchanging_moments),
    "moments-narrowed": defect([("precision-lost", OVERWRITTEN)], (), narrowing_moments),
    "moment-not-finite": defect([("not-finite", OVERWRITTEN)], (), nan_in_a_moment),
    "counts-zeroed": defect([("step-lost", OVERWRITTEN)], (), zeroing_the_counts),
    "average-left-out": defect([("shadows-lost", OMITTED)], ("averaged",)),
    "average-not-asked-for": defect([("shadows-lost", NOT_APPLIED)], (), asking_for_no_average),
    "average-of-restored-weights": defect(  # the weights in it, and its count of updates
        [("shadows-lost", OMITTED), ("shadows-lost", OMITTED)], ("averaged",), averages_from_weights
    ),
    "average-begun-again": defect([("shadows-lost", OVERWRITTEN)], (), averaging_anew),
    "weights-from-averages": defect([("shadows-in-weights", None)], (), weights_from_averages),
    "scheduler-left-out": defect([("step-lost", OMITTED)], ("scheduler",)),
    "scheduler-made-again": defect([("step-lost", OVERWRITTEN)], (), new_scheduler),
    "scheduler-after-the-load": defect(
        [("learning-rate-differs", None)], (), scheduler_made_after_the_load
    ),
    "scheduler-ahead": defect([("step-lost", OVERWRITTEN)], (), one_more_step_of_the_scheduler),
    "scaler-left-out": defect([("loss-scale-lost", OMITTED)], ("scaler",)),
    "other-rate": defect([("learning-rate-differs", None)], (), other_rate),
    "other-decay": defect([("hyperparameters-differ", OVERWRITTEN)], (), other_decay),
    "torch-left-out": defect(RESTARTED, ("torch",)),
    "numpy-left-out": defect(RESTARTED, ("numpy",)),
    "python-left-out": defect(RESTARTED, ("python",)),
    "noise-left-out": defect(RESTARTED, ("noise",)),
    "torch-drawn-from": defect([("generators-shifted", None)], (), drawing_once),
    "torch-seeded": defect([("generators-reseeded", OVERWRITTEN)], (), seeding_torch),
    "numpy-seeded": defect([("generators-reseeded", OVERWRITTEN)], (), seeding_numpy),
    "python-seeded": defect([("generators-reseeded", OVERWRITTEN)], (), seeding_python),
    "noise-seeded": defect([("generators-reseeded", OVERWRITTEN)], (), seeding_the_noise),
    "batch-skipped": defect([("data-shifted", None)], (), skipping_a_batch),
    "batch-repeated": defect([("data-shifted", None)], (), repeating_a_batch),
    "data-restarted": defect([("data-restarted", None)], (), restarting_the_data),
    "epoch-not-set": defect([("data-order", None)], (), order_of_the_first_epoch),
    "other-data": defect([("batches-differ", None)], (), other_data),
    "step-left-out": defect([("step-lost", OMITTED)], ("step",)),
    "step-back": defect([("step-lost", OVERWRITTEN)], (), one_step_back),
    "begun-a-step-early": defect([("wrong-first-step", None)], (), beginning_a_step_early),
    "evaluation-mode": defect([("mode-differs", None)], (), evaluation_mode),
    "frozen-layer": defect([("mode-differs", None)], (), freezing),
    "hidden-penalty": defect([("unexplained", None)], (), hidden_penalty),
    "older-file": defect([("older-checkpoint", None)], (), older_file),
    "not-found": defect([("nothing-restored", None)], (), not_finding_the_file),
    "key-missing": defect([("keys-not-in-checkpoint", None)], (), one_key_missing),
    "truncated": defect([("checkpoint-damaged", None)], (), truncating_the_file),
    "refuses": defect([("restore-raised", None)], (), refusing),
    "raises": defect([("resumed-run-raised", None)], (), raising),
    "scaler-left-out-and-batch-skipped": pair(("scaler",), skipping_a_batch),
    "average-left-out-and-torch-left-out": pair(("averaged", "torch")),
    "moments-exchanged-and-statistics-reset": pair((), exchanging_moments, resetting_statistics),
    "weights-narrowed-and-epoch-not-set": pair((), narrowing_weights, order_of_the_first_epoch),
    "counts-zeroed-and-noise-left-out": pair(("noise",), zeroing_the_counts),
}


# --- Defects of the control, and jobs that lose something by design ---


class NeverInTraining(Loop):
    """The network stays in evaluation mode: no moving statistic is ever updated."""

    ways = {"whole": defect([("statistics-never-move", NEVER)], ())}

    def setup(self) -> Any:
        made = super().setup()
        self.model.eval()
        return made


class NeverAveraged(Loop):
    """The average is made, but never updated."""

    ways = {"whole": defect([("shadows-never-move", NEVER)], ())}

    def average(self) -> None:
        pass


class SavesAverages(Loop):
    """The averages are swapped into the weights for the save, and back after it."""

    ways = {"whole": defect([("shadows-in-weights", None)], ())}

    def save(self, folder: Path, step: int) -> None:
        kept = [each.detach().clone() for each in self.model.parameters()]
        weights_from_averages(self)
        super().save(folder, step)
        with torch.no_grad():
            for each, value in zip(self.model.parameters(), kept, strict=True):
                each.copy_(value)


class KeepsAverages(Loop):
    """The averages stay in the weights after the save."""

    ways = {"whole": defect([("saving-changes-the-run", None)], ())}

    def save(self, folder: Path, step: int) -> None:
        weights_from_averages(self)
        super().save(folder, step)


class BufferNotSaved(Loop):
    """A buffer that moves is not persistent, so that no `state_dict` has it."""

    ways = {"whole": defect([("shadows-lost", OMITTED), ("state-lost", OMITTED)], ())}

    def make_model(self) -> Any:
        model = super().make_model()
        model.register_buffer("carried", torch.zeros(()), persistent=False)
        return model

    def loss(self, x: Any, y: Any) -> Any:
        loss = super().loss(x, y)
        self.model.carried.lerp_(loss.detach(), 0.1)
        return loss + 0.1 * self.model.carried


class LayersInAList(Loop):
    """A module keeps layers in a plain list: they train, but are in no `state_dict`."""

    ways = {
        "whole": defect(
            [("slots-lost", OMITTED), ("step-lost", OMITTED), ("weights-lost", OMITTED)], ()
        )
    }

    def make_model(self) -> Any:
        model = super().make_model()
        self.extra_layers = [nn.Linear(FEATURES, FEATURES)]
        return model

    def setup(self) -> Any:
        made = super().setup()
        self.of_list = self.variant["optimizer"](self.extra_layers[0].parameters())
        return made

    def loss(self, x: Any, y: Any) -> Any:
        return super().loss(x + self.extra_layers[0](x), y)

    def update(self, loss: Any) -> None:
        self.of_list.zero_grad()
        super().update(loss)
        self.of_list.step()


class CountsItself(Loop):
    """A number of the loop decides the rate, and is in no checkpoint."""

    ways = {"whole": defect([("python-state-lost", None)], ())}

    def setup(self) -> Any:
        self.count = 0
        return super().setup()

    def loss(self, x: Any, y: Any) -> Any:
        self.count += 1
        return super().loss(x, y) * (1 + 0.01 * self.count)


class Accumulating(Loop):
    """Saved between the two steps of an update, without the gradients of the first."""

    ways = {"whole": defect([("accumulators-lost", OMITTED)], ())}

    def update(self, loss: Any) -> None:
        (loss / 2).backward()
        if self.step % 2:
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.average()


class LabelsBySet(Loop):
    """Numbers the classes in the order of a set."""

    ways = {"whole": defect([("depends-on-hash-order", None)], ())}
    classes = ("cat", "dog", "horse", "heron", "newt", "toad")[:CLASSES]

    def labels(self) -> Any:
        numbers = {name: number for number, name in enumerate(set(self.classes))}
        return torch.tensor([numbers[self.classes[each]] for each in self.y])


class Unseeded(Loop):
    """The order of the data has no seed: two uninterrupted runs differ."""

    ways = {"whole": defect([("noise", None)], ())}

    def batch(self, step: int) -> tuple[Any, Any]:
        rows = np.random.default_rng().permutation(len(self.x))[:BATCH]
        return self.x[rows], self.labels()[rows]


class AccumulatingAndSaving(Accumulating):
    """Clean: the gradients between the two steps of an update are saved, too."""

    ways = {"whole": clean(())}

    def parts(self) -> Any:
        return super().parts() | {"gradients": (self._taken, self._put)}

    def _taken(self) -> Any:
        return [each.grad for each in self.model.parameters()]

    def _put(self, saved: Any) -> None:
        for each, gradient in zip(self.model.parameters(), saved, strict=True):
            each.grad = gradient


class Jitters(Loop):
    """Clean: operations have no fixed order, so weights differ in their last bits in each run."""

    ways = {"whole": clean((), repeat=3)}

    def train(self, step: int) -> Step:
        done = super().train(step)
        noise = torch.from_numpy(np.random.default_rng().normal(size=self.mid.weight.shape))
        with torch.no_grad():
            self.mid.weight.mul_(1 + 1e-7 * noise.float())
        return done


class AtTheEndOfAnEpoch(Loop):
    """Clean: saved exactly between two epochs."""

    ways = {"whole": clean(())}
    boundary_epochs = 2.0


# `torch_loop.py:Loop_1` is the job `Loop` in the second variant.
JOBS = [
    name
    for name, each in list(globals().items())
    if isinstance(each, type) and issubclass(each, Loop)
]
for _name in JOBS:
    for _number in range(len(VARIANTS)):
        globals()[f"{_name}_{_number}"] = partial(globals()[_name], _number)
