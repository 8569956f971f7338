"""Data of PyTorch: loaders, samplers and generators, augmentation, and batches of every kind."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils import data

from ckptcheck import Step
from tests.clean.torch_base import BATCH, STEPS, Counted, Drawing, Loop, X, Y

PAIRS = data.TensorDataset(X, Y)


class Plain(Loop):
    pass


class NoBatch(Loop):
    """Says nothing of its batches."""

    def train(self, step: int) -> Step:
        return Step(self.update(*self.batch(step)))


class RowsDrawn(Drawing):
    def batch(self, step: int) -> tuple[Any, Any]:
        rows = torch.randint(len(X), (BATCH,))
        return X[rows], Y[rows]


class NumPyAugmentation(Loop):
    """Draws from NumPy's global generator, whose state the checkpoint holds."""

    weights_only = False

    def more(self) -> dict[str, Any]:
        return {"numpy": (np.random.get_state, np.random.set_state)}

    def batch(self, step: int) -> tuple[Any, Any]:
        x, y = super().batch(step)
        return x + torch.from_numpy(np.random.normal(size=x.shape)).float(), y


class PythonAugmentation(Loop):
    def more(self) -> dict[str, Any]:
        return {"python": (random.getstate, random.setstate)}

    def batch(self, step: int) -> tuple[Any, Any]:
        x, y = super().batch(step)
        return (x.flip(1), y) if random.random() < 0.5 else (x, y)


class GeneratorOfNumPy(Loop):
    """A generator of its own, saved as the dictionary that NumPy gives."""

    def more(self) -> dict[str, Any]:
        self.draw = np.random.default_rng(3)
        return {"draw": (self._taken, self._put)}

    def _taken(self) -> Any:
        return self.draw.bit_generator.state

    def _put(self, state: Any) -> None:
        self.draw.bit_generator.state = state

    def batch(self, step: int) -> tuple[Any, Any]:
        rows = self.draw.permutation(len(X))[:BATCH]
        return X[rows], Y[rows]


class GeneratorOfTorch(Loop):
    def more(self) -> dict[str, Any]:
        self.draw = torch.Generator().manual_seed(3)
        return {"draw": self.draw}

    def batch(self, step: int) -> tuple[Any, Any]:
        rows = torch.randperm(len(X), generator=self.draw)[:BATCH]
        return X[rows], Y[rows]


class SeededByTheStep(Loop):
    """Random numbers that follow from the number of the step."""

    def batch(self, step: int) -> tuple[Any, Any]:
        x, y = super().batch(step)
        return x + torch.randn(x.shape, generator=torch.Generator().manual_seed(step)), y


class _Loading(Counted):
    """Reads a loader, an epoch after the other; a resumed run skips what was read of its epoch."""

    batches: Iterator[Any] | None = None

    def more(self) -> dict[str, Any]:
        self.loader = self.make_loader()
        return {}

    def make_loader(self) -> Any:
        return data.DataLoader(PAIRS, BATCH)

    def begin(self, epoch: int) -> Any:
        return iter(self.loader)

    def batch(self, step: int) -> tuple[Any, Any]:
        if self.batches is None or step % STEPS == 0:
            self.batches = self.begin(step // STEPS)
            for _ in range(step % STEPS):
                next(self.batches)
        return next(self.batches)


class Loader(_Loading):
    pass


class LoaderAsList(_Loading):
    """Skips with `itertools.islice`, in an unshuffled loader that drops nothing."""

    def make_loader(self) -> Any:
        return data.DataLoader(PAIRS, batch_sampler=data.BatchSampler(range(32), BATCH, True))


class SamplerOfTheEpoch(_Loading):
    """The order follows from the number of the epoch."""

    def make_loader(self) -> Any:
        sampler = data.DistributedSampler(PAIRS, 1, 0, seed=4)
        return data.DataLoader(PAIRS, BATCH, sampler=sampler)

    def begin(self, epoch: int) -> Any:
        self.loader.sampler.set_epoch(epoch)
        return super().begin(epoch)


class ShufflingByAGenerator(_Loading):
    """The generator of the sampler is seeded for each epoch."""

    def make_loader(self) -> Any:
        self.draw = torch.Generator()
        sampler = data.RandomSampler(PAIRS, generator=self.draw)
        return data.DataLoader(PAIRS, BATCH, sampler=sampler, generator=torch.Generator())

    def begin(self, epoch: int) -> Any:
        self.draw.manual_seed(epoch)
        return super().begin(epoch)


class ShufflingByASavedGenerator(Loop):
    """The state of the generator at the start of the epoch, and the position in it, are saved."""

    def setup(self) -> Any:
        self.step = self.position = 0
        self.draw = torch.Generator().manual_seed(11)
        self.loader = data.DataLoader(PAIRS, BATCH, shuffle=True, generator=self.draw)
        self.start = self.draw.get_state()
        self.batches: Any = None
        return {**super().setup(), "step": self.step, "start": self.start}

    def batch(self, step: int) -> tuple[Any, Any]:
        if step % STEPS == 0 and self.batches is not None:
            self.start.copy_(self.draw.get_state())
        if self.batches is None or step % STEPS == 0:
            self.draw.set_state(self.start)
            self.batches = iter(self.loader)
            for _ in range(step % STEPS):
                next(self.batches)
        self.step = step + 1
        return next(self.batches)


class Streaming(_Loading):
    """An iterable dataset, which skips by itself."""

    def make_loader(self) -> Any:
        class Stream(data.IterableDataset[Any]):
            first = 0

            def __iter__(self) -> Any:
                return iter([PAIRS[index] for index in range(self.first, len(PAIRS))])

        self.stream = Stream()
        return data.DataLoader(self.stream, BATCH)

    def batch(self, step: int) -> tuple[Any, Any]:
        if self.batches is None or step % STEPS == 0:
            self.stream.first = step % STEPS * BATCH
            self.batches = iter(self.loader)
        return next(self.batches)


class Weighted(_Loading):
    """Draws from PyTorch's generator when an epoch begins; each epoch has a seed of its own."""

    def make_loader(self) -> Any:
        sampler = data.WeightedRandomSampler([1.0 + index for index in range(32)], 32)
        return data.DataLoader(PAIRS, BATCH, sampler=sampler)

    def begin(self, epoch: int) -> Any:
        torch.manual_seed(100 + epoch)
        return super().begin(epoch)


class Workers(_Loading):
    """A worker process reads the data."""

    def make_loader(self) -> Any:
        return data.DataLoader(PAIRS, BATCH, num_workers=1)


class ReplayBuffer(Counted):
    """Old batches in a tensor, of which the loop draws."""

    def more(self) -> dict[str, Any]:
        self.memory = torch.zeros(16, 7)
        self.draw = torch.Generator().manual_seed(2)
        return {"memory": self.memory, "draw": self.draw}

    def batch(self, step: int) -> tuple[Any, Any]:
        x, y = super().batch(step)
        place = step % 2 * 8
        self.memory[place : place + 8] = torch.cat([x, y], 1)
        rows = torch.randint(16, (BATCH,), generator=self.draw)
        return self.memory[rows, :6].clone(), self.memory[rows, 6:].clone()


class NestedBatches(Loop):
    def train(self, step: int) -> Step:
        x, y = self.batch(step)
        batch: Any = {"inputs": {"x": x}, "labels": (y, y.bfloat16()), "words": ["a", "b"]}
        return Step(self.update(x, y), batch=batch)


class PackedBatches(Loop):
    """Sequences of different lengths, without padding."""

    def train(self, step: int) -> Step:
        x, y = self.batch(step)
        packed = torch.nn.utils.rnn.pack_sequence([x[0], x[1, :4], x[2, :2]])
        return Step(self.update(x, y), batch=[packed, y])


class SparseBatches(Loop):
    def train(self, step: int) -> Step:
        x, y = self.batch(step)
        return Step(self.update(x, y), batch=[x.to_sparse(), x.to_sparse_csr(), y])


class Curriculum(Counted):
    """Numbers, lists and dictionaries of the loop are in the checkpoint."""

    def more(self) -> dict[str, Any]:
        self.hardness = 0.1
        self.losses: list[float] = []
        self.seen: dict[str, Any] = {"batches": 0, "last": None}
        return {"hardness": self.hardness, "losses": self.losses, "seen": self.seen}

    def batch(self, step: int) -> tuple[Any, Any]:
        x, y = super().batch(step)
        return x * self.hardness, y

    def update(self, x: Any, y: Any) -> Any:
        loss = super().update(x, y)
        self.hardness = min(1.0, self.hardness * 1.2)
        self.losses.append(loss.item())
        self.seen["batches"] += 1
        self.seen["last"] = loss.item()
        return loss


class EarlyStopping(Counted):
    """Counts the epochs without progress."""

    def more(self) -> dict[str, Any]:
        self.best, self.patience = float("inf"), 0
        return {"best": self.best, "patience": self.patience}

    def train(self, step: int) -> Step:
        done = super().train(step)
        if step % STEPS == STEPS - 1:
            now = float(done.loss)
            self.patience = 0 if now < self.best else self.patience + 1
            self.best = min(self.best, now)
        return done


class Stateful(_Loading):
    """The loader of torchdata, which saves its position.

    With one generator for loader and sampler, it would draw from it once more when it resumes.
    """

    def make_loader(self) -> Any:
        from torchdata.stateful_dataloader import StatefulDataLoader
        from torchdata.stateful_dataloader.sampler import RandomSampler

        sampler = RandomSampler(PAIRS, generator=torch.Generator().manual_seed(5))
        return StatefulDataLoader(PAIRS, BATCH, sampler=sampler, generator=torch.Generator())

    def more(self) -> dict[str, Any]:
        return super().more() | {"loader": self.loader}

    def batch(self, step: int) -> tuple[Any, Any]:
        if self.batches is None:
            self.batches = iter(self.loader)
        try:
            return next(self.batches)
        except StopIteration:
            self.batches = iter(self.loader)
            return next(self.batches)
