"""State that is not restored, or restored wrongly."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from base import KINDS, Clean, CreatesLate, Loops
from clean import Renamed
from planting import NEVER_LIVE, NOT_APPLIED, OMITTED, OVERWRITTEN, planted

from ckptcheck import Kind, Step, Tensor

NOTHING_POISONED = (
    "The restore had nothing to do: before it, every tensor of the new process already equalled "
    "the control's at the boundary. Build the job from the seed that it is given."
)


@planted(diverged=[("nothing-restored", NOT_APPLIED)])
class NoRestore(Clean):
    """The restore does nothing."""

    def restore(self, folder: Path, restore: str) -> None:
        self.resumed = True


@planted(diverged=[("nothing-restored", NOT_APPLIED)])
class FromScratch(Clean):
    """The restore does nothing, and the job restarts like the control: losses are equal by step."""

    def build(self, seed: int) -> None:
        super().build(0)

    def restore(self, folder: Path, restore: str) -> None:
        self.resumed = True


@planted(diverged=[("rounding", None)])
class LastBit(Clean):
    """The restore changes the last bit of one element of a weight."""

    def after_restore(self) -> None:
        self.live["v"].view(np.uint64)[2] ^= 1


@planted(diverged=[("moving-statistics-lost", OMITTED)])
class StatisticsNotSaved(Clean):
    def saved(self) -> list[str]:
        return [name for name in self.live if name != "mean"]


@planted(diverged=[("moving-statistics-lost", NOT_APPLIED)])
class StatisticsNotApplied(Clean):
    def wanted(self, held: Iterable[str]) -> dict[str, str]:
        return {name: name for name in held if name != "mean"}


@planted(diverged=[("moving-statistics-lost", OVERWRITTEN)])
class StatisticsOverwritten(Clean):
    def after_restore(self) -> None:
        self.live["mean"] = np.zeros(4)


@planted(diverged=[("slots-lost", NOT_APPLIED)])
class SlotsLost(Clean):
    def wanted(self, held: Iterable[str]) -> dict[str, str]:
        return {name: name for name in held if name != "w/momentum"}


@planted(diverged=[("step-lost", NOT_APPLIED)])
class StepLost(Clean):
    def wanted(self, held: Iterable[str]) -> dict[str, str]:
        return {name: name for name in held if name != "step"}


@planted(diverged=[("shadows-lost", NOT_APPLIED)])
class ShadowLost(Clean):
    def wanted(self, held: Iterable[str]) -> dict[str, str]:
        return {name: name for name in held if name != "w/average"}


@planted(diverged=[("shadows-in-weights", None), ("shadows-lost", NOT_APPLIED)])
class ShadowInWeight(Clean):
    def wanted(self, held: Iterable[str]) -> dict[str, str]:
        return {name: name for name in held if name != "w/average"} | {"w": "w/average"}


@planted(diverged=[("weights-swapped", None)])
class Swapped(Clean):
    def wanted(self, held: Iterable[str]) -> dict[str, str]:
        return {name: name for name in held} | {"w": "v", "v": "w"}


@planted(diverged=[("precision-lost", "overwritten after load")])
class OtherDtype(Clean):
    def after_restore(self) -> None:
        self.live["mean"] = self.live["mean"].astype(np.float32)


@planted(diverged=[("tensors-missing", None)])
class OtherByteOrder(Clean):
    """The restore keeps the bytes, but changes the byte order, and so the values."""

    def after_restore(self) -> None:
        self.live["v"] = self.live["v"].view(self.live["v"].dtype.newbyteorder())


@planted(diverged=[("tensors-missing", None)])
class TensorGone(Clean):
    def after_restore(self) -> None:
        del self.live["w/average"]
        self.live["w/average_1"] = np.zeros(4)

    def train(self, step: int) -> Step:
        self.live.setdefault("w/average", np.zeros(4))
        return super().train(step)

    def state(self) -> dict[str, Any]:
        return {
            name: Tensor(KINDS.get(name, Kind.SHADOW), value.copy())
            for name, value in self.live.items()
        }


@planted(diverged=[("slots-lost", NOT_APPLIED)])
class RenamedAndLost(Renamed):
    """The same, and one renamed tensor is not restored."""

    def wanted(self, held: Iterable[str]) -> dict[str, str]:
        return {name: name for name in held if name != "w/momentum"}


@planted(diverged=[("slots-lost", NOT_APPLIED)])
class CreatesLateAndForgets(CreatesLate):
    forgets = True


class LoopsAndLoses(Loops):
    inner = SlotsLost


@planted(diverged=[("precision-lost", OVERWRITTEN)])
class Rounds(Clean):
    """The restored weight was rounded to single precision."""

    def after_restore(self) -> None:
        self.live["v"] = self.live["v"].astype(np.float32).astype(float)


@planted(diverged=[("weights-scaled", OVERWRITTEN)])
class DecaysInTheRestore(Clean):
    """The restore runs an update with weight decay."""

    def after_restore(self) -> None:
        for name in ("w", "v"):
            self.live[name] = self.live[name] * 0.99


@planted(diverged=[("not-finite", NOT_APPLIED)])
@planted(diverged=[("not-finite", NOT_APPLIED)], equal_nan=True)
class HalfNaN(Clean):
    """Complex numbers with a NaN real part; the restore loses the imaginary part."""

    def build(self, seed: int) -> None:
        super().build(seed)
        self.live["phase"] = np.array([complex(np.nan, seed + 1)])

    def state(self) -> dict[str, Any]:
        return {
            name: Tensor(KINDS.get(name, Kind.OTHER), value.copy())
            for name, value in self.live.items()
        }

    def wanted(self, held: Iterable[str]) -> dict[str, str]:
        return {name: name for name in held if name != "phase"}


@planted(diverged=[("loss-scale-lost", NOT_APPLIED)])
class LossScaleLost(Clean):
    """The loss scale restarts."""

    def build(self, seed: int) -> None:
        super().build(seed)
        self.live["scale"] = np.array(2.0**15)

    def train(self, step: int) -> Step:
        self.live["scale"] = self.live["scale"] * 2
        return super().train(step)

    def state(self) -> dict[str, Any]:
        kinds = KINDS | {"scale": Kind.LOSS_SCALE}
        return {name: Tensor(kinds[name], value.copy()) for name, value in self.live.items()}

    def wanted(self, held: Iterable[str]) -> dict[str, str]:
        return {name: name for name in held if name != "scale"}


class Accumulates(Clean):
    """Does not save the gradient sum of three steps, which is zero after every third step."""

    def build(self, seed: int) -> None:
        super().build(seed)
        self.live["sum"] = np.zeros(4)

    def state(self) -> dict[str, Any]:
        return {
            name: Tensor(KINDS.get(name, Kind.ACCUMULATOR), value.copy())
            for name, value in self.live.items()
        }

    def saved(self) -> list[str]:
        return [name for name in self.live if name != "sum"]

    def train(self, step: int) -> Step:
        done = super().train(step)
        self.live["sum"] = self.live["sum"] + self.batch(step).mean(0)
        if (step + 1) % 3 == 0:
            self.live["w"] = self.live["w"] - 0.01 * self.live["sum"]
            self.live["sum"] = np.zeros(4)
        return done

    def restore(self, folder: Path, restore: str) -> None:
        super().restore(folder, restore)


@planted(diverged=[("mode-differs", None)])
class Stops(Clean):
    """The resumed run does not update the moving mean."""

    def train(self, step: int) -> Step:
        kept = self.live["mean"]
        done = super().train(step)
        if self.resumed:
            self.live["mean"] = kept
        return done


@planted(recovered=[("statistics-never-move", NEVER_LIVE)])
class DeadStatistics(Clean):
    """The moving mean is never updated, in the control either, so no restore can show it."""

    def train(self, step: int) -> Step:
        before = self.live["mean"]
        done = super().train(step)
        self.live["mean"] = before
        return done


@planted(recovered=[("shadows-never-move", NEVER_LIVE)])
class NeverAveraged(Clean):
    """The average of the weights is never updated."""

    def train(self, step: int) -> Step:
        kept = self.live["w/average"]
        done = super().train(step)
        self.live["w/average"] = kept
        return done


@planted(diverged=[("statistics-restarted", None)])
class HiddenInFinalState(Clean):
    """A tensor differs only at the end, and no loss reads it."""

    def train(self, step: int) -> Step:
        done = super().train(step)
        if self.resumed and step == 20:
            self.live["mean"] = np.nextafter(self.live["mean"], 9.0)
        return done

    def evaluate(self) -> float:
        return self.loss(np.random.default_rng(99).normal(size=(16, 4)))


@planted(inconclusive="No state tensor was compared: the job's `state` returned none.")
class NoState(Clean):
    def state(self) -> dict[str, Any]:
        return {}


@planted(
    inconclusive=(
        "No final state was compared: the job's `state` returned no tensor after the last step."
    )
)
class NoStateInTheEnd(Clean):
    def state(self) -> dict[str, Any]:
        return {} if self.live["step"] == 21 else super().state()


@planted(
    inconclusive=(
        "5 of 6 state tensors are missing after the last step, such as mean. "
        "Return every tensor from the job's `state` each time."
    )
)
class LessInTheEnd(Clean):
    """Tensors are missing from the final state."""

    def state(self) -> dict[str, Any]:
        shown = super().state()
        return {"step": shown["step"]} if self.live["step"] == 21 else shown


@planted(inconclusive=NOTHING_POISONED)
class NothingPoisoned(Clean):
    """Its state is constant, so nothing shows that the restore did anything."""

    def state(self) -> dict[str, Any]:
        return {"constant": Tensor(Kind.WEIGHT, np.ones(3))}


@planted(inconclusive=NOTHING_POISONED, equal_nan=True)
class ConstantNaN(Clean):
    """The restore trains from the control's start to the boundary. One tensor is always NaN."""

    def build(self, seed: int) -> None:
        super().build(0)

    def state(self) -> dict[str, Any]:
        return {"mask": Tensor(Kind.OTHER, np.array([np.nan, 1.0]))}

    def restore(self, folder: Path, restore: str) -> None:
        for step in range(9):
            self.train(step)
