"""Jobs whose first resume recovers, and that then save less than they were restored from."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from base import Array, Clean

from ckptcheck import Restored, Step, Tensor
from ckptcheck.kinds import Kind


class SavesLess(Clean):
    """A resumed run saves no momentum: its new optimizer is not the one that the save knows."""

    def saved(self) -> list[str]:
        return [name for name in self.live if not (self.resumed and name == "w/momentum")]


class SavesLessUnreported(SavesLess):
    """The same, of a restore that reports nothing: the crash image shows what was saved."""

    def restore(self, folder: Path, restore: str) -> None:
        super().restore(folder, restore)


class CountsFromTheResume(Clean):
    """Saves the steps of its own process as the step counter."""

    def build(self, seed: int) -> None:
        super().build(seed)
        self.made = 0

    def train(self, step: int) -> Step:
        self.made += 1
        return super().train(step)

    def save(self, folder: Path, step: int) -> None:
        counter, self.live["step"] = self.live["step"], np.array(self.made)
        super().save(folder, step)
        self.live["step"] = counter


class StaleGenerator(Clean):
    """Draws from a generator that the restore makes, and saves the one made at the start."""

    def build(self, seed: int) -> None:
        super().build(seed)
        self.first = self.random = np.random.Generator(np.random.PCG64(seed))

    def batch(self, step: int) -> Array:
        return np.asarray(super().batch(step) * self.random.normal(size=(8, 1)))

    def state(self) -> dict[str, Any]:
        return super().state() | {"random": Tensor(Kind.RNG, _words(self.random))}

    def save(self, folder: Path, step: int) -> None:
        super().save(folder, step)
        np.save(folder / "random.npy", _words(self.first))

    def restore(self, folder: Path, restore: str) -> None:
        super().restore(folder, restore)
        self.random = np.random.Generator(np.random.PCG64())
        words = [int(word) for word in np.load(folder / "random.npy")]
        state = {"state": words[0] << 64 | words[1], "inc": words[2] << 64 | words[3]}
        self.random.bit_generator.state = {
            "bit_generator": "PCG64",
            "state": state,
            "has_uint32": 0,
            "uinteger": 0,
        }


def _words(generator: np.random.Generator) -> Array:
    state = generator.bit_generator.state["state"]
    numbers = state["state"], state["inc"]
    return np.array(
        [part for each in numbers for part in (each >> 64, each & (1 << 64) - 1)], np.uint64
    )


class OffsetTwice(Clean):
    """Adds the position in the data that it was restored from to a position that includes it."""

    def build(self, seed: int) -> None:
        super().build(seed)
        self.start = self.read = 0

    def batch(self, step: int) -> Array:
        self.read += 1
        return super().batch(self.read - 1)

    def save(self, folder: Path, step: int) -> None:
        super().save(folder, step)
        np.save(folder / "read.npy", self.read + self.start)

    def restore(self, folder: Path, restore: str) -> Restored | None:
        self.start = self.read = int(np.load(folder / "read.npy"))
        return super().restore(folder, restore)


class SavesAgain(Clean):
    """A resumed run saves the momentum that it was restored from."""

    def restore(self, folder: Path, restore: str) -> Restored | None:
        restored = super().restore(folder, restore)
        self.momentum = self.live["w/momentum"]
        return restored

    def save(self, folder: Path, step: int) -> None:
        newest = self.live["w/momentum"]
        self.live["w/momentum"] = getattr(self, "momentum", newest)
        super().save(folder, step)
        self.live["w/momentum"] = newest


class AveragesRestarted(Clean):
    """The second save starts the averages of the weights anew, from the weights."""

    def save(self, folder: Path, step: int) -> None:
        average = self.live["w/average"]
        if self.resumed:
            self.live["w/average"] = self.live["w"].copy()
        super().save(folder, step)
        self.live["w/average"] = average


class NumberedFromTheResume(Clean):
    """Numbers its checkpoints by the saves of its own process, and restores the highest number."""

    def build(self, seed: int) -> None:
        super().build(seed)
        self.saves = 0

    def save(self, folder: Path, step: int) -> None:
        self.saves += 1
        place = folder / str(self.saves)
        place.mkdir(exist_ok=True)
        super().save(place, step)

    def restore(self, folder: Path, restore: str) -> Restored | None:
        newest = max(folder.iterdir(), key=lambda each: int(each.name))
        return super().restore(newest, restore)


class SavesNoMore(Clean):
    """A resumed run saves nothing at all."""

    def save(self, folder: Path, step: int) -> None:
        if not self.resumed:
            super().save(folder, step)


class RefusedTwice(Clean):
    """A resumed run saves no weights, and the restore asks for them."""

    def saved(self) -> list[str]:
        return [name for name in self.live if not (self.resumed and name == "w")]

    def wanted(self, held: Iterable[str]) -> dict[str, str]:
        return {name: name for name in self.live}


class LateState(Clean):
    """Fails from its second boundary on, in a first resume, too: it saves too little by then."""

    def saved(self) -> list[str]:
        return [name for name in self.live if self.live["step"] < 20 or name != "w/momentum"]


class LosesAtOnce(Clean):
    """Does not even recover once: the momentum is never saved."""

    def saved(self) -> list[str]:
        return [name for name in self.live if name != "w/momentum"]
