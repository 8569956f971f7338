"""Losses that could hide: beside an accepted difference, below noise, behind the evaluation."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from base import KINDS, Array, Clean, CreatesLate
from noise import Jitters
from planting import JITTERS, NEVER_LIVE, NOT_APPLIED, OMITTED, OVERWRITTEN, planted

from ckptcheck import Kind, Restored, Step, Tensor


class Kinds(Clean):
    """`Clean` with further tensors, whose kinds are in `of_kind`."""

    of_kind: tuple[tuple[str, Kind], ...] = ()

    def state(self) -> dict[str, Any]:
        kinds = KINDS | dict(self.of_kind)
        return {name: Tensor(kinds[name], np.array(value)) for name, value in self.live.items()}


class More(Kinds):
    """`Clean` with a tensor `more`, of the kind in `of_kind`, which counts steps and is not saved."""

    of_kind = (("more", Kind.COUNTER),)

    def build(self, seed: int) -> None:
        super().build(seed)
        self.live["more"] = np.array(0)

    def train(self, step: int) -> Step:
        self.live["more"] = self.live["more"] + 1
        return super().train(step)

    def saved(self) -> list[str]:
        return [name for name in super().saved() if name != "more"]


@planted(diverged=[("wrong-first-step", None)], allow=["step-lost"])
class CounterAndFirstStep(More):
    """An unused counter is lost; and the first step is repeated."""

    def next_step(self) -> int:
        return super().next_step() - (1 if self.resumed else 0)


@planted(diverged=[("hyperparameters-differ", None)], allow=["step-lost"])
class CounterAndHyperparameter(More):
    """An unused counter is lost; and a hyperparameter differs."""

    def train(self, step: int) -> Step:
        done = super().train(step)
        decay = 0.5 if self.resumed else 0.9
        self.live["v"] = self.live["v"] * (1 - 1e-3 * decay)
        return Step(done.loss, done.batch, done.learning_rate, {"decay": decay})


@planted(diverged=[("learning-rate-differs", None)], allow=["step-lost"])
class CounterAndRate(More):
    """An unused counter is lost; and the learning rate is one that the control never used."""

    def rate(self, step: int) -> float:
        return 0.01 * 0.9**step * (0.5 if self.resumed else 1)


@planted(diverged=[("generators-reseeded", None)], allow=["generators-restarted"])
class GeneratorAndHiddenGenerator(More):
    """A generator restarts; and a second one, which only shows its draws, gets a new seed."""

    of_kind = (("more", Kind.RNG),)

    def build(self, seed: int) -> None:
        super().build(seed)
        self.generator = np.random.default_rng(5)

    def after_restore(self) -> None:
        self.generator = np.random.default_rng(77)

    def train(self, step: int) -> Step:
        drawn = self.generator.normal(size=4)
        done = super().train(step)
        self.live["v"] = self.live["v"] + 0.1 * drawn
        return Step(done.loss, done.batch, done.learning_rate, draws=[drawn])


@planted(diverged=[("learning-rate-differs", None)], allow=["python-state-lost"])
class CallbackAndRate(More):
    """Unused state of a callback is lost; and the learning rate differs."""

    of_kind = (("more", Kind.PYTHON),)

    def rate(self, step: int) -> float:
        return 0.005 if self.resumed else 0.01


@planted(diverged=[("hyperparameters-differ", OMITTED)], allow=["learning-rate-differs"])
class TwoSettings(Clean):
    """The learning rate differs, and so does a decay that happens to have the same value."""

    def build(self, seed: int) -> None:
        super().build(seed)
        self.value = 0.001

    def after_restore(self) -> None:
        self.value = 0.01

    def rate(self, step: int) -> float:
        return self.value

    def state(self) -> dict[str, Any]:
        return super().state() | {
            name: Tensor(Kind.HYPERPARAMETER, np.array(self.value)) for name in ("rate", "decay")
        }


@planted(diverged=[("unexplained", None)], allow=["mor*"])
class MetricAndEvaluation(More):
    """An unused metric is not saved; and the evaluation differs."""

    of_kind = (("more", Kind.METRIC),)

    def evaluate(self) -> float:
        return super().evaluate() + (1.0 if self.resumed else 0.0)


@planted(diverged=[("unexplained", None)], allow=["mor*"])
class MetricAndTraining(More):
    """A metric is not saved; and the weights drift."""

    of_kind = (("more", Kind.METRIC),)

    def train(self, step: int) -> Step:
        done = super().train(step)
        self.live["v"] = self.live["v"] + (0.5 if self.resumed else 0.0)
        return done


@planted(diverged=[("unexplained", None)], allow=["rounding"])
class RoundingAndEvaluation(Clean):
    """The last bit of a weight differs; and the evaluation differs by far."""

    def after_restore(self) -> None:
        self.live["v"].view(np.uint64)[2] ^= 1

    def evaluate(self) -> float:
        return super().evaluate() + (100.0 if self.resumed else 0.0)


class Nudged(Clean):
    """A weight changes in step 9, and what a step shows differs from step 18 on."""

    def train(self, step: int) -> Step:
        done = super().train(step)
        if self.resumed and step == 9:
            self.live["v"] = self.live["v"] + 1.0
        return done

    @property
    def late(self) -> bool:
        return self.resumed and int(self.live["step"]) >= 18


@planted(diverged=[("unexplained", None)], allow=["data-order"])
class NudgedAndBatches(Nudged):
    def batch(self, step: int) -> Array:
        return super().batch(step - 6 if self.late else step)


@planted(diverged=[("unexplained", None)], allow=["learning-rate-differs"])
class NudgedAndRate(Nudged):
    def rate(self, step: int) -> float:
        return 0.001 if self.late else 0.01


@planted(diverged=[("unexplained", None)], allow=["hyperparameters-differ"])
class NudgedAndHyperparameter(Nudged):
    def train(self, step: int) -> Step:
        shown = {"decay": 0.5 if self.late else 0.9}
        done = super().train(step)
        return Step(done.loss, done.batch, done.learning_rate, shown)


@planted(diverged=[("unexplained", None)], allow=["generators-reseeded"])
class NudgedAndDraws(Nudged):
    def train(self, step: int) -> Step:
        shown = [np.array([step + (100 if self.late else 0)])]
        done = super().train(step)
        return Step(done.loss, done.batch, done.learning_rate, draws=shown)


@planted(diverged=[("slots-lost", OMITTED), ("generators-restarted", OMITTED)])
@planted(diverged=[("slots-lost", OMITTED)], allow=["generators-restarted"])
class LateSlotsAndGenerator(Kinds, CreatesLate):
    """Slots created in the first step are lost, as is a generator that this step draws from."""

    of_kind = (("more", Kind.RNG),)
    forgets = True
    tells = True

    def build(self, seed: int) -> None:
        super().build(seed)
        self.live["more"] = np.array([0, 5])

    def train(self, step: int) -> Step:
        drawn = np.random.default_rng(self.live["more"]).normal(size=4)
        self.live["more"] = self.live["more"] + [1, 0]
        done = super().train(step)
        self.live["w/momentum"] = self.live["w/momentum"] + 0.1 * drawn
        return done

    def saved(self) -> list[str]:
        lost = ("more", "w/momentum") if self.forgets else ("more",)
        return [name for name in super().saved() if name not in lost]

    def restore(self, folder: Path, restore: str) -> Restored | None:
        if self.forgets:
            self.live["w/momentum"] = np.zeros(4)
            restored = Clean.restore(self, folder, restore)
            del self.live["w/momentum"]
        else:
            restored = Clean.restore(self, folder, restore)
            self.waiting = self.live.pop("w/momentum")
        return restored if self.tells else None


@planted(diverged=[("slots-lost", "omitted at save")], allow=["generators-restarted"])
class LateSlotsUntold(LateSlotsAndGenerator):
    """The same, and the restore does not report its keys: the crash image lacks the slots."""

    tells = False


@planted(recovered=[], allow=["generators-restarted"])
class LateSlotsRight(LateSlotsAndGenerator):
    """The generator is lost, and the slots are restored."""

    forgets = False


@planted(
    inconclusive="w/momentum is created in the first resumed step, which an accepted difference "
    "already affected: whether it was restored is unknown. Return the requested "
    "keys from the job's `restore` (Restored), or create the tensor before it.",
    allow=["generators-restarted"],
)
class LateSlotsRightUntold(LateSlotsRight):
    """The same, and the restore does not report its keys."""

    tells = False


@planted(inconclusive=JITTERS, noise=True)
@planted(recovered=[], repeat=4)
class LateJitters(CreatesLate, Jitters):
    """Slots created in the first step are restored, and each step adds noise."""


@planted(recovered=[], boundaries=(9, 12, 15))
class EvaluationDraws(Clean):
    """Training and evaluation draw from NumPy's generator, which is saved."""

    def build(self, seed: int) -> None:
        super().build(seed)
        np.random.seed(3)

    def save(self, folder: Path, step: int) -> None:
        super().save(folder, step)
        _, keys, place, *_ = np.random.get_state()
        np.savez(folder / "generator.npz", keys=keys, place=place)

    def restore(self, folder: Path, restore: str) -> Restored | None:
        restored = super().restore(folder, restore)
        with np.load(folder / "generator.npz") as file:
            np.random.set_state(("MT19937", file["keys"], int(file["place"]), 0, 0.0))
        return restored

    def train(self, step: int) -> Step:
        self.live["w"] = self.live["w"] + 1e-3 * np.random.rand(4)
        return super().train(step)

    def evaluate(self) -> float:
        np.random.rand(3)
        return super().evaluate()


@planted(diverged=[("unexplained", None)])
class EvaluationEndsInTraining(Clean):
    """The restore leaves the job in evaluation mode, and an evaluation sets training mode."""

    training = True

    def after_restore(self) -> None:
        self.training = False

    def train(self, step: int) -> Step:
        done = super().train(step)
        self.live["w"] = self.live["w"] * (0.999 if self.training else 1.0)
        return done

    def evaluate(self) -> float:
        self.training = True
        return super().evaluate()


@planted(diverged=[("batches-differ", None)])
class BatchByName(Clean):
    """Shows its batch as a dictionary; a part of it belongs to a different step."""

    def train(self, step: int) -> Step:
        done = super().train(step)
        return Step(
            done.loss,
            {"x": self.batch(step), "ids": np.arange(8) + step + (1 if self.resumed else 0)},
        )


@planted(diverged=[("generators-reseeded", None)])
class DrawsByName(Clean):
    """Shows its draws as a dictionary; they differ in the resumed run."""

    def train(self, step: int) -> Step:
        done = super().train(step)
        return Step(
            done.loss, done.batch, draws={"mask": np.ones(3) + (1.0 if self.resumed else 0.0)}
        )


class Grows(Clean):
    """Adds noise that grows with each step."""

    def train(self, step: int) -> Step:
        done = super().train(step)
        self.live["w"] = self.live["w"] + 1e-9 * 3.0**step * np.random.default_rng().normal(size=4)
        return done


@planted(diverged=[("unexplained", None)], repeat=3)
class GrowsAndEvaluation(Grows):
    def evaluate(self) -> float:
        return super().evaluate() + (0.5 if self.resumed else 0.0)


@planted(diverged=[("unexplained", None)], repeat=3)
class GrowsAndFirstLoss(Grows):
    def train(self, step: int) -> Step:
        done = super().train(step)
        return Step(
            done.loss * (1.2 if self.resumed and step == 9 else 1.0), done.batch, done.learning_rate
        )


@planted(recovered=[])
class OwnNames(Clean):
    """Names its tensors differently in each process."""

    def state(self) -> dict[str, Any]:
        return {f"{name}-{os.getpid()}": tensor for name, tensor in super().state().items()}


@planted(diverged=[("unexplained", None)], repeat=2)
class OwnNamesAndFinal(OwnNames, Jitters):
    """The same with noise; and an average differs at the end."""

    def train(self, step: int) -> Step:
        done = super().train(step)
        if self.resumed and step == 20:
            self.live["w/average"] = self.live["w/average"] + 1000.0
        return done


@planted(inconclusive=JITTERS, noise=True)
@planted(recovered=[], repeat=4)
class DrawsUnseeded(Clean):
    """Draws without a seed, and does not use the draws."""

    def train(self, step: int) -> Step:
        done = super().train(step)
        return Step(
            done.loss,
            done.batch,
            done.learning_rate,
            draws=[np.random.default_rng().normal(size=4)],
        )


@planted(inconclusive=JITTERS, noise=True)
@planted(recovered=[], repeat=4)
class RateUnseeded(Jitters):
    """Its learning rate depends on a noisy loss."""

    def train(self, step: int) -> Step:
        done = super().train(step)
        return Step(done.loss, done.batch, 0.01 + 1e-3 * done.loss)


@planted(diverged=[("precision-lost", OVERWRITTEN), ("hyperparameters-differ", None)])
@planted(recovered=[], rtol=1e-4, atol=1e-5)
class SettingFromState(Clean):
    """A hyperparameter depends on a weight that the restore rounds."""

    def after_restore(self) -> None:
        self.live["v"] = self.live["v"].astype("float32").astype("float64")

    def train(self, step: int) -> Step:
        shown = {"clip": float(self.live["v"][0]), "none": float("nan")}
        done = super().train(step)
        return Step(done.loss, done.batch, done.learning_rate, shown)


@planted(diverged=[("slots-lost", NOT_APPLIED), ("noise", None)])
class UnseededAndSlots(Clean):
    """Draws its batches without a seed, and loses its slots."""

    def batch(self, step: int) -> Array:
        return np.random.default_rng().normal(size=(8, 4))

    def wanted(self, held: Iterable[str]) -> dict[str, str]:
        return {name: name for name in held if name != "w/momentum"}


@planted(
    diverged=[
        ("moving-statistics-lost", OMITTED),
        ("shadows-lost", OMITTED),
        ("weights-lost", OMITTED),
        ("slots-lost", OMITTED),
        ("step-lost", OMITTED),
    ]
)
class SavesUntrained(Clean):
    """Saves its initial state."""

    def build(self, seed: int) -> None:
        super().build(seed)
        self.first = {name: value.copy() for name, value in self.live.items()}

    def save(self, folder: Path, step: int) -> None:
        live, self.live = self.live, self.first
        super().save(folder, step)
        self.live = live


@planted(diverged=[("learning-rate-differs", None)])
class RateIsZero(Clean):
    def rate(self, step: int) -> float:
        return 0.0 if self.resumed else 0.01


@planted(diverged=[("weights-lost", OMITTED)], unsaved=False)
class CopiesBeforeSaving(Kinds):
    """Copies the weights right before each save, and does not save the copy."""

    of_kind = (("copy", Kind.WEIGHT),)

    def build(self, seed: int) -> None:
        super().build(seed)
        self.live["copy"] = self.live["w"].copy()

    def save(self, folder: Path, step: int) -> None:
        self.live["copy"] = self.live["w"].copy()
        super().save(folder, step)

    def saved(self) -> list[str]:
        return [name for name in super().saved() if name != "copy"]


@planted(diverged=[("hyperparameters-differ", OMITTED)])
class NegativeNumbers(More):
    """A negative setting is lost."""

    of_kind = (("more", Kind.HYPERPARAMETER),)

    def build(self, seed: int) -> None:
        super().build(seed)
        self.live["more"] = np.array(0.5)

    def train(self, step: int) -> Step:
        self.live["more"] = np.array(-0.5)
        return Clean.train(self, step)


@planted(diverged=[("step-lost", OMITTED)])
class CounterIsNotFinite(More):
    """A float counter, infinite after its first step, is lost."""

    def build(self, seed: int) -> None:
        super().build(seed)
        self.live["more"] = np.array(0.0)

    def train(self, step: int) -> Step:
        self.live["more"] = np.array(np.inf)
        return Clean.train(self, step)


@planted(diverged=[("hyperparameters-differ", OMITTED)])
class SettingIsAFlag(NegativeNumbers):
    """A setting that is a flag is lost."""

    def build(self, seed: int) -> None:
        super().build(seed)
        self.live["more"] = np.array(False)

    def train(self, step: int) -> Step:
        self.live["more"] = np.array(True)
        return Clean.train(self, step)


@planted(recovered=[("statistics-never-move", NEVER_LIVE)], allow=["python-state-lost"])
class CountsInvisiblyBesideDeadStatistics(Clean):
    """The rate depends on a count that is not saved; and moving statistics are never updated."""

    def build(self, seed: int) -> None:
        super().build(seed)
        self.count = 0

    def rate(self, step: int) -> float:
        return 0.01 * 0.9**self.count

    def train(self, step: int) -> Step:
        done = super().train(step)
        self.count += 1
        self.live["mean"] = np.zeros(4)
        return done


@planted(recovered=[])
class LargeAttribute(Clean):
    """Has a number too large for a float, and a `remembers` that raises."""

    seen = 1 << 2000

    def remembers(self) -> Any:
        raise RuntimeError("not yet")
