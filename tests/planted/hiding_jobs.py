"""Jobs in which one loss hides another: beside what is allowed, below a noise, behind the tool's own evaluation.

NumPy alone, as in `toy_jobs.py`, whose `Clean` they all are but for what their docstring says.
"""

import os

import numpy as np
from toy_jobs import KINDS, Clean, CreatesLate, Jitters

from ckptcheck import Kind, Step, Tensor


class Kinds(Clean):
    """Shows tensors beside those of `Clean`, each of the kind that `kinds` says."""

    kinds = ()

    def state(self):
        kinds = KINDS | dict(self.kinds)
        return {name: Tensor(kinds[name], np.array(value)) for name, value in self.live.items()}


class More(Kinds):
    """Has one tensor more, `more`, of the kind it says, which counts steps and is not saved."""

    kinds = (("more", Kind.COUNTER),)

    def build(self, seed):
        super().build(seed)
        self.live["more"] = np.array(0)

    def train(self, step):
        self.live["more"] = self.live["more"] + 1
        return super().train(step)

    def saved(self):
        return [name for name in super().saved() if name != "more"]


class CounterAndFirstStep(More):
    """A counter that nobody reads is lost; and the first step is made again."""

    def next_step(self):
        return super().next_step() - (1 if self.resumed else 0)


class CounterAndHyperparameter(More):
    """A counter that nobody reads is lost; and a hyperparameter is another one."""

    def train(self, step):
        done = super().train(step)
        decay = 0.5 if self.resumed else 0.9
        self.live["v"] = self.live["v"] * (1 - 1e-3 * decay)
        return Step(done.loss, done.batch, done.learning_rate, {"decay": decay})


class CounterAndRate(More):
    """A counter that nobody reads is lost; and the learning rate is another one, which it never was at any step."""

    def rate(self, step):
        return 0.01 * 0.9**step * (0.5 if self.resumed else 1)


class GeneratorAndHiddenGenerator(More):
    """A generator begins anew; and another one, of which only draws are shown, is seeded otherwise."""

    kinds = (("more", Kind.RNG),)

    def build(self, seed):
        super().build(seed)
        self.generator = np.random.default_rng(5)

    def after_restore(self):
        self.generator = np.random.default_rng(77)

    def train(self, step):
        drawn = self.generator.normal(size=4)
        done = super().train(step)
        self.live["v"] = self.live["v"] + 0.1 * drawn
        return Step(done.loss, done.batch, done.learning_rate, draws=[drawn])


class CallbackAndRate(More):
    """What a callback remembers is lost, and has no effect; and the learning rate is another one."""

    kinds = (("more", Kind.PYTHON),)

    def rate(self, step):
        return 0.005 if self.resumed else 0.01


class TwoSettings(Clean):
    """The learning rate is another one, and so is a decay that happens to be the same number."""

    def build(self, seed):
        super().build(seed)
        self.value = 0.001

    def after_restore(self):
        self.value = 0.01

    def rate(self, step):
        return self.value

    def state(self):
        return super().state() | {name: Tensor(Kind.HYPERPARAMETER, np.array(self.value)) for name in ("rate", "decay")}


class MetricAndEvaluation(More):
    """A metric is not saved, which nothing reads; and the evaluation is another one."""

    kinds = (("more", Kind.METRIC),)

    def evaluate(self):
        return super().evaluate() + (1.0 if self.resumed else 0.0)


class MetricAndTraining(More):
    """A metric is not saved; and the weights drift."""

    kinds = (("more", Kind.METRIC),)

    def train(self, step):
        done = super().train(step)
        self.live["v"] = self.live["v"] + (0.5 if self.resumed else 0.0)
        return done


class RoundingAndEvaluation(Clean):
    """The last bit of a weight is another one; and the evaluation is, by far."""

    def after_restore(self):
        self.live["v"].view(np.uint64)[2] ^= 1

    def evaluate(self):
        return super().evaluate() + (100.0 if self.resumed else 0.0)


class Nudged(Clean):
    """Something moves a weight in step 9, and what a step shows is another one from step 18 on."""

    def train(self, step):
        done = super().train(step)
        if self.resumed and step == 9:
            self.live["v"] = self.live["v"] + 1.0
        return done

    @property
    def late(self):
        return self.resumed and int(self.live["step"]) >= 18


class NudgedAndBatches(Nudged):
    def batch(self, step):
        return super().batch(step - 6 if self.late else step)


class NudgedAndRate(Nudged):
    def rate(self, step):
        return 0.001 if self.late else 0.01


class NudgedAndHyperparameter(Nudged):
    def train(self, step):
        shown = {"decay": 0.5 if self.late else 0.9}
        done = super().train(step)
        return Step(done.loss, done.batch, done.learning_rate, shown)


class NudgedAndDraws(Nudged):
    def train(self, step):
        shown = [np.array([step + (100 if self.late else 0)])]
        done = super().train(step)
        return Step(done.loss, done.batch, done.learning_rate, draws=shown)


class LateSlotsAndGenerator(Kinds, CreatesLate):
    """Slots that come to be in the first step are lost; and so is a generator that this step draws from."""

    kinds = (("more", Kind.RNG),)
    forgets = True
    tells = True

    def build(self, seed):
        super().build(seed)
        self.live["more"] = np.array([0, 5])

    def train(self, step):
        drawn = np.random.default_rng(self.live["more"]).normal(size=4)
        self.live["more"] = self.live["more"] + [1, 0]
        done = super().train(step)
        self.live["w/momentum"] = self.live["w/momentum"] + 0.1 * drawn
        return done

    def saved(self):
        lost = ("more", "w/momentum") if self.forgets else ("more",)
        return [name for name in super().saved() if name not in lost]

    def restore(self, folder, restore):
        if self.forgets:
            self.live["w/momentum"] = np.zeros(4)
            restored = Clean.restore(self, folder, restore)
            del self.live["w/momentum"]
        else:
            restored = Clean.restore(self, folder, restore)
            self.waiting = self.live.pop("w/momentum")
        return restored if self.tells else None


class LateSlotsUntold(LateSlotsAndGenerator):
    """The same, and the restore does not say what it asked for."""

    tells = False


class LateSlotsRight(LateSlotsAndGenerator):
    """The generator is lost, and the slots come back."""

    forgets = False


class LateJitters(CreatesLate, Jitters):
    """Slots that come to be in the first step come back, and each step is off by a little."""


class EvaluationDraws(Clean):
    """Training and evaluation draw from NumPy's generator, which is saved."""

    def build(self, seed):
        super().build(seed)
        np.random.seed(3)

    def save(self, folder, step):
        super().save(folder, step)
        _, keys, place, *_ = np.random.get_state()
        np.savez(folder / "generator.npz", keys=keys, place=place)

    def restore(self, folder, restore):
        restored = super().restore(folder, restore)
        with np.load(folder / "generator.npz") as file:
            np.random.set_state(("MT19937", file["keys"], int(file["place"])))
        return restored

    def train(self, step):
        self.live["w"] = self.live["w"] + 1e-3 * np.random.rand(4)
        return super().train(step)

    def evaluate(self):
        np.random.rand(3)
        return super().evaluate()


class EvaluationEndsInTraining(Clean):
    """The restore leaves evaluation mode behind, and an evaluation ends in training mode."""

    training = True

    def after_restore(self):
        self.training = False

    def train(self, step):
        done = super().train(step)
        self.live["w"] = self.live["w"] * (0.999 if self.training else 1.0)
        return done

    def evaluate(self):
        self.training = True
        return super().evaluate()


class BatchByName(Clean):
    """Shows its batch as a dictionary; a part of it belongs to another step."""

    def train(self, step):
        done = super().train(step)
        return Step(done.loss, {"x": done.batch[0], "ids": np.arange(8) + step + (1 if self.resumed else 0)})


class DrawsByName(Clean):
    """Shows its draws as a dictionary, and draws others."""

    def train(self, step):
        done = super().train(step)
        return Step(done.loss, done.batch, draws={"mask": np.ones(3) + (1.0 if self.resumed else 0.0)})


class Grows(Clean):
    """Is off by more and more."""

    def train(self, step):
        done = super().train(step)
        self.live["w"] = self.live["w"] + 1e-9 * 3.0**step * np.random.default_rng().normal(size=4)
        return done


class GrowsAndEvaluation(Grows):
    def evaluate(self):
        return super().evaluate() + (0.5 if self.resumed else 0.0)


class GrowsAndFirstLoss(Grows):
    def train(self, step):
        done = super().train(step)
        return Step(done.loss * (1.2 if self.resumed and step == 9 else 1.0), done.batch, done.learning_rate)


class OwnNames(Clean):
    """Calls its tensors otherwise in each process."""

    def state(self):
        return {f"{name}-{os.getpid()}": tensor for name, tensor in super().state().items()}


class OwnNamesAndFinal(OwnNames, Jitters):
    """The same, is off by a little, and an average is another one in the end."""

    def train(self, step):
        done = super().train(step)
        if self.resumed and step == 20:
            self.live["w/average"] = self.live["w/average"] + 1000.0
        return done


class DrawsUnseeded(Clean):
    """Draws without a seed, to no effect."""

    def train(self, step):
        done = super().train(step)
        return Step(done.loss, done.batch, done.learning_rate, draws=[np.random.default_rng().normal(size=4)])


class RateUnseeded(Jitters):
    """Its rate follows from a loss that is off by a little."""

    def train(self, step):
        done = super().train(step)
        return Step(done.loss, done.batch, 0.01 + 1e-3 * done.loss)


class SettingFromState(Clean):
    """A hyperparameter follows from a weight that comes back rounded."""

    def after_restore(self):
        self.live["v"] = self.live["v"].astype("float32").astype("float64")

    def train(self, step):
        shown = {"clip": float(self.live["v"][0]), "none": float("nan")}
        done = super().train(step)
        return Step(done.loss, done.batch, done.learning_rate, shown)


class UnseededAndSlots(Clean):
    """Reads its batches in no order, and loses its slots."""

    def batch(self, step):
        return np.random.default_rng().normal(size=(8, 4))

    def wanted(self, held):
        return {name: name for name in held if name != "w/momentum"}


class SavesUntrained(Clean):
    """What is saved is the state that it began with."""

    def build(self, seed):
        super().build(seed)
        self.first = {name: value.copy() for name, value in self.live.items()}

    def save(self, folder, step):
        live, self.live = self.live, self.first
        super().save(folder, step)
        self.live = live


class RateIsZero(Clean):
    def rate(self, step):
        return 0.0 if self.resumed else 0.01


class CopiesBeforeSaving(Kinds):
    """A copy of the weights is made right before each save, and is not saved."""

    kinds = (("copy", Kind.WEIGHT),)

    def build(self, seed):
        super().build(seed)
        self.live["copy"] = self.live["w"].copy()

    def save(self, folder, step):
        self.live["copy"] = self.live["w"].copy()
        super().save(folder, step)

    def saved(self):
        return [name for name in super().saved() if name != "copy"]


class NegativeNumbers(More):
    """A setting below 0 is lost."""

    kinds = (("more", Kind.HYPERPARAMETER),)

    def build(self, seed):
        super().build(seed)
        self.live["more"] = np.array(0.5)

    def train(self, step):
        self.live["more"] = np.array(-0.5)
        return Clean.train(self, step)


class CounterIsNotFinite(More):
    """A counter in floating point, infinite after its first step, is lost."""

    def build(self, seed):
        super().build(seed)
        self.live["more"] = np.array(0.0)

    def train(self, step):
        self.live["more"] = np.array(np.inf)
        return Clean.train(self, step)


class SettingIsAFlag(NegativeNumbers):
    """A setting that is a flag is lost."""

    def build(self, seed):
        super().build(seed)
        self.live["more"] = np.array(False)

    def train(self, step):
        self.live["more"] = np.array(True)
        return Clean.train(self, step)


class CountsInvisiblyBesideDeadStatistics(Clean):
    """What the rate follows from is in no file; and the moving statistics are never updated."""

    def build(self, seed):
        super().build(seed)
        self.count = 0

    def rate(self, step):
        return 0.01 * 0.9**self.count

    def train(self, step):
        done = super().train(step)
        self.count += 1
        self.live["mean"] = np.zeros(4)
        return done


class LargeAttribute(Clean):
    """Has a number that is no float, and callbacks that raise when they are asked for."""

    seen = 1 << 2000

    def remembers(self):
        raise RuntimeError("not yet")


class ReturnsADictionary(Clean):
    def restore(self, folder, restore):
        return {"asked": None, "step": super().restore(folder, restore)}


class ReturnsALoss(Clean):
    def train(self, step):
        return super().train(step).loss


class StateIsAList(Clean):
    def state(self):
        return list(self.live.values())
