"""`TorchJob`: PyTorch training loops whose checkpoints `torch.save` writes."""

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ckptcheck.adapters.torch.batches import arrays_of
from ckptcheck.adapters.torch.checkpoint import (
    Parts,
    is_pair,
    is_stateful,
    load_checkpoint,
    load_into,
    saved_of,
    values_of,
)
from ckptcheck.adapters.torch.named import Named
from ckptcheck.adapters.torch.updates import Updates
from ckptcheck.job.protocol import POISON, Restored, Step, Tensor
from ckptcheck.kinds import Kind, by_name

_SUFFIX = ".pt"


class TorchJob(ABC):
    """A job with a PyTorch training loop, saved with `torch.save`.

    A subclass creates its objects in `setup`, keeps them as attributes, and returns those that the
    checkpoint holds. The live state is everything that holds state, saved or not: modules with all
    their buffers, optimizers, schedulers, a `GradScaler`, averages of weights and generators. To
    save or restore in a different way, override `save` and `restore`.

    Attributes:
        steps_per_epoch: number of training steps in an epoch.
        restores: names of the ways to restore a checkpoint; default: `checkpoint`.
        weights_only: what `torch.load` is called with; default: True.

    Example:
        ```python
        class Train(TorchJob):
            steps_per_epoch = 10

            def setup(self):
                self.x, self.y = make_data()
                self.model = make_model()
                self.optimizer = torch.optim.AdamW(self.model.parameters())
                rng = torch.get_rng_state, torch.set_rng_state
                return {"model": self.model, "optimizer": self.optimizer, "rng": rng}

            def train(self, step):
                rows = torch.randint(len(self.x), (32,))
                loss = loss_of(self.model(self.x[rows]), self.y[rows])
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                return Step(loss, batch=[self.x[rows], self.y[rows]])

            def evaluate(self):
                return loss_of(self.model.eval()(self.x), self.y)
        ```
    """

    framework = "torch"
    restores: Sequence[str] = ("checkpoint",)
    steps_per_epoch: int
    weights_only = True
    # An optimizer creates its state in its first step.
    defers = True

    @abstractmethod
    def setup(self) -> Mapping[str, Any]:
        """Create the model, the optimizer, the data and whatever else training needs.

        Returns:
            What the checkpoint holds, by name: objects with `state_dict` and `load_state_dict`,
            generators, pairs of functions that get and set a value, and values of attributes of
            the same name, as in `{"model": self.model, "step": self.step}`.
        """

    @abstractmethod
    def train(self, step: int) -> Step:
        """Execute training step `step`, counted from 0.

        Returns:
            A `Step` with the training loss. Give it the tensors of the batch too: without them,
            batches are not compared. The learning rate is that of the first optimizer that steps.
        """

    @abstractmethod
    def evaluate(self) -> Any:
        """Return the validation loss of the live state, without changing that state.

        The modes of modules and the generators are as before afterwards.
        """

    def build(self, seed: int) -> None:
        """Set all seeds and create the objects.

        Args:
            seed: 0 in a control. In a resumed process, the trained parameters are perturbed, too,
                so that a restore that does nothing cannot pass. The data do not change.

        Raises:
            TypeError: `setup` returned no mapping, or something in it cannot be saved.
        """
        for each in (random.seed, np.random.seed, torch.manual_seed):
            each(seed % POISON)
        made = _checked(self.setup())
        self._held_by = {name: self._holder(name, each) for name, each in made.items()}
        self._given = {name: each for name, each in made.items() if not self._held_by[name]}
        self._named = Named(lambda: {**self._made(), **self._attributes()})
        self._parts()  # whatever cannot be saved raises here
        self._updates = Updates()
        if seed >= POISON:
            self._named.live.poison(seed, ())
        self._train, self.train = self.train, self._shown_train  # type: ignore[method-assign]
        self._evaluate, self.evaluate = self.evaluate, self._kept_evaluate  # type: ignore[method-assign]

    def next_step(self) -> int:
        """Return the index of the next training step, counted from 0.

        That is the attribute `step`, unless it is a method, or else the largest count of steps in
        the state of an optimizer.

        Raises:
            TypeError: the job has no attribute `step`, and no optimizer that counts.
        """
        step = getattr(self, "step", None)
        if step is not None and not callable(step):
            return int(step)
        counts = self._named.live.counts()
        if not counts and self._updates.steps:
            raise TypeError(
                "the next step is unknown: no optimizer counts its steps, and the job has no "
                "attribute `step`. Count the steps in `self.step`, and let setup return it "
                '({"step": self.step, …}), or override next_step'
            )
        return counts.get("iterations", 0)

    def state(self) -> Mapping[str, Tensor]:
        """Return all that holds state: of the job's attributes, and of what they do not lead to.

        Values that `setup` returned count, too.
        """
        if not self._updates.steps:  # a restore may have brought gradients back
            self._named.live.has_gradients = self._named.has_gradients()
        live = dict(self._named.state())
        of_generators = {each.value.tobytes() for each in live.values() if each.kind is Kind.RNG}
        plain = {
            name: value
            for part, each in self._parts().items()
            if not (is_stateful(each) or isinstance(each, torch.Generator))
            for name, value in values_of(part, saved_of(each), live)
            if value.tobytes() not in of_generators
        }
        return live | {
            name: Tensor(by_name(name, value.dtype.kind, value.size == 1, False), value)
            for name, value in plain.items()
        }

    def save(self, folder: Path, step: int) -> None:
        """Save what `setup` returned with `torch.save`, into a file that is named after `step`."""
        torch.save(
            {name: saved_of(part) for name, part in self._parts().items()},
            folder / f"{step}{_SUFFIX}",
        )

    def restore(self, folder: Path, restore: str) -> Restored | None:
        """Load the newest checkpoint in `folder`, see `load`.

        Raises:
            FileNotFoundError: `folder` holds no checkpoint.
        """
        return self.load(folder)

    def load(self, folder: Path, *names: str) -> Restored:
        """Load what the newest checkpoint in `folder` holds.

        Args:
            folder: the folder that `save` wrote into.
            names: what to load, as `setup` names it; none: all of it.

        Raises:
            FileNotFoundError: `folder` holds no checkpoint.
            RestoreRefusedError: the checkpoint lacks something, or `load_state_dict` raises.
        """
        steps = [int(path.stem) for path in folder.glob(f"*{_SUFFIX}") if path.stem.isdigit()]
        if not steps:
            raise FileNotFoundError(f"the folder holds no checkpoint: no file STEP{_SUFFIX}")
        return load_checkpoint(
            folder / f"{max(steps)}{_SUFFIX}",
            self._parts(),
            names or list(self._held_by),
            self._named.weights(),
            self.state,
            weights_only=self.weights_only,
        )

    def _attributes(self) -> dict[str, Any]:
        own = ("_named", "_held_by", "_given", "_updates", "_train", "_evaluate")
        shown = (*own, "train", "evaluate")
        return {name: value for name, value in vars(self).items() if name not in shown}

    def _holder(self, name: str, given: Any) -> str | None:
        """Return the attribute that holds what `setup` returned; None: no attribute does.

        A restore may replace an object. The attribute then shows which one trains, and is saved.
        """
        held = vars(self)
        if name in held and held[name] is given:
            return name
        is_object = is_stateful(given) or isinstance(given, torch.Generator)
        return next((at for at, each in held.items() if is_object and each is given), None)

    def _made(self) -> dict[str, Any]:
        """Return what `setup` returned, as it is now."""
        return {
            name: self._given[name] if holder is None else getattr(self, holder)
            for name, holder in self._held_by.items()
        }

    def _parts(self) -> Parts:
        return {name: self._part(name, each) for name, each in self._made().items()}

    def _part(self, name: str, given: Any) -> Any:
        """Return a part as a checkpoint saves and loads it, a plain value by its attribute."""
        if is_stateful(given) or is_pair(given) or isinstance(given, torch.Generator):
            return given
        if name in vars(self) and vars(self)[name] is given:
            return partial(getattr, self, name), partial(self._set, name)
        if isinstance(given, torch.Tensor | dict | list):
            return given
        raise TypeError(
            f"setup returned {name!r}, a {type(given).__name__}, which has no state_dict and is no "
            f"attribute of that name. Keep the value in self.{name}, or return a pair of "
            "functions that get and set it"
        )

    def _set(self, name: str, saved: Any) -> None:
        held = getattr(self, name)
        if isinstance(held, torch.Tensor):
            load_into(held, saved)
        else:
            setattr(self, name, saved)

    def _shown_train(self, step: int) -> Step:
        with self._updates.watching():
            result = self._train(step)
        self._named.live.has_gradients = not self._updates.count and self._named.trains
        if not isinstance(result, Step):
            return result
        rate = self._updates.rate if result.learning_rate is None else result.learning_rate
        batch = None if result.batch is None else arrays_of(result.batch)
        return replace(result, loss=_number(result.loss), batch=batch, learning_rate=rate)

    def _kept_evaluate(self) -> Any:
        if self._updates.is_training:  # a step of the job evaluates: that is a part of the step
            return self._evaluate()
        with _generators_kept(), self._named.modes_kept():
            return _number(self._evaluate())


def _checked(made: Any) -> Parts:
    if not isinstance(made, Mapping):
        raise TypeError(
            "setup must return what the checkpoint holds by name, as in "
            f'{{"model": self.model}}, but it returned {type(made).__name__}'
        )
    return made


def _number(loss: Any) -> Any:
    """Return a loss without its graph."""
    return loss.detach() if isinstance(loss, torch.Tensor) else loss


@contextmanager
def _generators_kept() -> Iterator[None]:
    """Restore the states of PyTorch's global generators afterwards."""
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices=devices):
        yield
