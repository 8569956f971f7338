"""A job in numpy alone, and defects planted in it: each class breaks one thing that a check must catch.

The job is a linear regression with momentum, a moving mean of the inputs, an average of the weights, and a step counter.
"""

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from ckptcheck import Kind, NotVerifiedError, Restored, Step, Tensor
from ckptcheck.run.digests import digest

KINDS = {
    "w": Kind.WEIGHT,
    "v": Kind.WEIGHT,
    "w/momentum": Kind.SLOT,
    "mean": Kind.MOVING_STATISTIC,
    "w/average": Kind.SHADOW,
    "step": Kind.COUNTER,
}
STEPS_PER_EPOCH = 6
SHIFT = np.array([0.5, -1.0, 2.0, 0.25])


class Clean:
    restores = ("all",)
    steps_per_epoch = STEPS_PER_EPOCH

    def build(self, seed):
        draw = np.random.default_rng(seed)
        self.live = {
            "w": draw.normal(size=4),
            "v": draw.normal(size=4),
            "w/momentum": np.zeros(4),
            "mean": np.zeros(4),
            "w/average": np.zeros(4),
            "step": np.array(0),
        }
        self.resumed = False

    def next_step(self):
        return int(self.live["step"])

    def batch(self, step):
        return np.random.default_rng((7, step)).normal(size=(8, 4)) + SHIFT

    def rate(self, step):
        return 0.01

    def loss(self, x):
        return float(np.mean((x @ (self.live["w"] + self.live["v"]) - x.sum(1)) ** 2))

    def train(self, step):
        x, rate, live = self.batch(step), self.rate(step), self.live
        loss = self.loss(x)
        gradient = 2 * x.T @ (x @ (live["w"] + live["v"]) - x.sum(1)) / len(x)
        live["w/momentum"] = 0.9 * live["w/momentum"] + gradient
        live["w"] = live["w"] - rate * live["w/momentum"]
        live["v"] = live["v"] - rate * gradient
        live["mean"] = 0.9 * live["mean"] + 0.1 * x.mean(0)
        live["w/average"] = 0.9 * live["w/average"] + 0.1 * live["w"]
        live["step"] = live["step"] + 1
        return Step(loss=loss, batch=[x], learning_rate=rate)

    def evaluate(self):
        x = np.random.default_rng(99).normal(size=(16, 4))
        return self.loss(x - self.live["mean"])

    def state(self):
        return {name: Tensor(KINDS[name], value.copy()) for name, value in self.live.items()}

    def saved(self):
        return list(self.live)

    def save(self, folder, step):
        np.savez(folder / "state.npz", **{name.replace("/", "|"): self.live[name] for name in self.saved()})

    def wanted(self, held):
        return {name: name for name in held}

    def restore(self, folder, restore):
        with np.load(Path(folder) / "state.npz") as file:
            held = {name.replace("|", "/"): file[name] for name in file.files}
        asked = self.wanted(held)
        for name, key in asked.items():
            self.live[name] = held[key].copy()
        self.resumed = True
        self.after_restore()
        return Restored(asked, sorted(held), [digest(each) for each in held.values()])

    def after_restore(self):
        pass


class TwoWays(Clean):
    """Exact by one restore; the other leaves the momentum where it was."""

    restores = ("all", "weights")

    def restore(self, folder, restore):
        self.only_weights = restore == "weights"
        return super().restore(folder, restore)

    def wanted(self, held):
        return {name: name for name in held if not (self.only_weights and name == "w/momentum")}


# --- Defects: what each one breaks is its name; what must be found stands beside it in test_faults.py. ---------------


class NoRestore(Clean):
    """The restore returns without doing anything."""

    def restore(self, folder, restore):
        self.resumed = True


class FromScratch(Clean):
    """The restore does nothing, and the start is the control's own: by step number every loss is equal."""

    def build(self, seed):
        super().build(0)

    def restore(self, folder, restore):
        self.resumed = True


class LastBit(Clean):
    """One element of one weight comes back with its last bit changed."""

    def after_restore(self):
        self.live["v"].view(np.uint64)[2] ^= 1


class SkippedBatch(Clean):
    """The resumed run reads the batch of the step after."""

    def batch(self, step):
        return super().batch(step + 1 if self.resumed else step)


class RepeatedStep(Clean):
    """Everything comes back, but the first step is counted one too low."""

    def next_step(self):
        return super().next_step() - (1 if self.resumed else 0)


class OtherRate(Clean):
    """The learning rate falls late in the run, by a schedule that the resumed process does not know."""

    def rate(self, step):
        return 0.01 if self.resumed or step < 19 else 0.001


class StatisticsNotSaved(Clean):
    def saved(self):
        return [name for name in self.live if name != "mean"]


class StatisticsNotApplied(Clean):
    def wanted(self, held):
        return {name: name for name in held if name != "mean"}


class StatisticsOverwritten(Clean):
    def after_restore(self):
        self.live["mean"] = np.zeros(4)


class SlotsLost(Clean):
    def wanted(self, held):
        return {name: name for name in held if name != "w/momentum"}


class StepLost(Clean):
    def wanted(self, held):
        return {name: name for name in held if name != "step"}


class ShadowLost(Clean):
    def wanted(self, held):
        return {name: name for name in held if name != "w/average"}


class ShadowInWeight(Clean):
    def wanted(self, held):
        return {name: name for name in held if name != "w/average"} | {"w": "w/average"}


class Swapped(Clean):
    def wanted(self, held):
        return {name: name for name in held} | {"w": "v", "v": "w"}


class OtherDtype(Clean):
    def after_restore(self):
        self.live["mean"] = self.live["mean"].astype(np.float32)


class TensorGone(Clean):
    def after_restore(self):
        del self.live["w/average"]
        self.live["w/average_1"] = np.zeros(4)

    def train(self, step):
        self.live.setdefault("w/average", np.zeros(4))
        return super().train(step)

    def state(self):
        return {name: Tensor(KINDS.get(name, Kind.SHADOW), value.copy()) for name, value in self.live.items()}


class HiddenInEvaluation(Clean):
    """State outside the tensors changes the evaluation only."""

    def evaluate(self):
        return super().evaluate() + (1e-12 if self.resumed else 0.0)


class HiddenInLastLoss(Clean):
    """State outside the tensors changes the last training loss only, by one unit in the last place."""

    def train(self, step):
        done = super().train(step)
        loss = np.nextafter(done.loss, 1e9) if self.resumed and step == 20 else done.loss
        return Step(float(loss), done.batch, done.learning_rate)


class HiddenInFinalState(Clean):
    """A tensor differs only in the end, and no loss reads it."""

    def train(self, step):
        done = super().train(step)
        if self.resumed and step == 20:
            self.live["mean"] = np.nextafter(self.live["mean"], 9.0)
        return done

    def evaluate(self):
        return self.loss(np.random.default_rng(99).normal(size=(16, 4)))


class DeadStatistics(Clean):
    """The moving mean is never updated, in the control either: a restore cannot show it."""

    def train(self, step):
        before = self.live["mean"]
        done = super().train(step)
        self.live["mean"] = before
        return done


class NoState(Clean):
    def state(self):
        return {}


class NoStateInTheEnd(Clean):
    def state(self):
        return {} if self.live["step"] == 21 else super().state()


class NothingPoisoned(Clean):
    """A job whose state never differs from the boundary's: nothing shows that the restore did anything."""

    def state(self):
        return {"constant": Tensor(Kind.WEIGHT, np.ones(3))}


class SavesElsewhere(Clean):
    """Saves to a folder of its own and restores from there: what the tool copied at the boundary is empty."""

    elsewhere = Path(tempfile.gettempdir()) / "ckptcheck-tests-elsewhere"

    def save(self, folder, step):
        self.elsewhere.mkdir(exist_ok=True)
        super().save(self.elsewhere, step)

    def restore(self, folder, restore):
        return super().restore(self.elsewhere, restore)


class ShowsLess(Clean):
    """Shows neither batch nor learning rate; nothing of them may count as compared. Its restore has an odd name."""

    restores = ("../control",)

    def train(self, step):
        return Step(super().train(step).loss)


class LeavesAtOnce(Clean):
    def after_restore(self):
        os._exit(0)


class Missing(Clean):
    """The restore asks for a key that was never saved."""

    def wanted(self, held):
        return {name: name for name in held} | {"w": "nowhere"}


class TurnsNaN(Clean):
    def train(self, step):
        done = super().train(step)
        return Step(float("nan"), done.batch, done.learning_rate) if step == 4 else done


class RaisesInTrain(Clean):
    def train(self, step):
        if self.resumed:
            raise RuntimeError("the pipeline is empty")
        return super().train(step)


class ControlRaises(Clean):
    def train(self, step):
        if step == 5:
            raise RuntimeError("a bad image")
        return super().train(step)


class NeedsTheNetwork(Clean):
    def __init__(self):
        raise NotVerifiedError("The dataset could not be fetched. Use another one.")


class RaisesInInit(Clean):
    def __init__(self):
        raise RuntimeError("no such data")


class Killed(Clean):
    """Dies in the resumed run as under the kernel's out-of-memory killer."""

    def after_restore(self):
        os.kill(os.getpid(), signal.SIGKILL)


class Hangs(Clean):
    def after_restore(self):
        time.sleep(600)


class ControlHangs(Clean):
    def train(self, step):
        time.sleep(600)


class OutOfMemory(Clean):
    def after_restore(self):
        raise MemoryError


class DiskFull(Clean):
    def save(self, folder, step):
        raise OSError(28, "No space left on device")


class Leaves(Clean):
    def after_restore(self):
        sys.exit(0)


class Prints(Clean):
    def train(self, step):
        print("a line that must not spoil standard output")
        return super().train(step)


class Slow(Clean):
    def train(self, step):
        time.sleep(0.2)
        return super().train(step)


class OtherEnvironment(Clean):
    """The resumed process runs under another numeric switch."""

    def after_restore(self):
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"


# --- What would hide a loss: each of these once passed, or was once taken for a loss. ----------------------------------


class EvaluationReseeds(Clean):
    """Its global generator is not saved, and every evaluation seeds it again: at the boundary, that is our evaluation."""

    def build(self, seed):
        super().build(seed)
        np.random.seed(7)

    def train(self, step):
        self.live["w"] = self.live["w"] * (np.random.rand(4) < 0.9)
        return super().train(step)

    def evaluate(self):
        np.random.seed(123)
        return super().evaluate()


class EvaluationChanges(Clean):
    """An evaluation moves the statistics, as one in training mode does."""

    def evaluate(self):
        self.live["mean"] = self.live["mean"] / 2
        return super().evaluate()


class PointsToItsFolder(Clean):
    """Exact; the checkpoint is a pointer to where it was saved, by an absolute path."""

    def save(self, folder, step):
        super().save(folder, step)
        (folder / "checkpoint").write_text(str(folder / "state.npz"))

    def restore(self, folder, restore):
        return super().restore(Path((folder / "checkpoint").read_text()).parent, restore)


class PointsInBinary(PointsToItsFolder):
    """The same pointer in a file that is no text."""

    def save(self, folder, step):
        super().save(folder, step)
        pointer = folder / "checkpoint"
        pointer.write_bytes(b"\xff" + pointer.read_bytes())


class UnpacksTheCheckpoint(Clean):
    """Exact; the restore reads a copy of its own, and what the system knows of the process."""

    def restore(self, folder, restore):
        Path("/proc/self/status").read_text()
        with tempfile.TemporaryDirectory() as unpacked:
            (Path(unpacked) / "state.npz").write_bytes((folder / "state.npz").read_bytes())
            return super().restore(unpacked, restore)


class BatchIsAnArray(Clean):
    """Exact; its batch is one array, not a sequence of them."""

    def train(self, step):
        done = super().train(step)
        return Step(done.loss, done.batch[0], done.learning_rate)


class ReadsBeside(Clean):
    """The momentum lies outside the checkpoint."""

    beside = Path(tempfile.gettempdir()) / "ckptcheck-tests-beside.npz"

    def save(self, folder, step):
        super().save(folder, step)
        np.savez(self.beside, momentum=self.live["w/momentum"])

    def saved(self):
        return [name for name in self.live if name != "w/momentum"]

    def restore(self, folder, restore):
        restored = super().restore(folder, restore)
        with np.load(self.beside) as file:
            self.live["w/momentum"] = file["momentum"]
        return restored


class WritesBeside(Clean):
    """Exact; its restore writes a log beside the checkpoint, and reads nothing but that."""

    def restore(self, folder, restore):
        with (Path(tempfile.gettempdir()) / "ckptcheck-tests.log").open("a") as log:
            log.write("restored")
        return super().restore(folder, restore)


class MendsTheCheckpoint(Clean):
    """One restore rewrites the checkpoint that the other reads, which loses the mean."""

    restores = ("mend", "plain")

    def saved(self):
        return [name for name in self.live if name != "mean"]

    def save(self, folder, step):
        super().save(folder, step)
        np.save(folder / "mean.npy", self.live["mean"])

    def restore(self, folder, restore):
        if restore == "mend":
            with np.load(folder / "state.npz") as file:
                mended = dict(file) | {"mean": np.load(folder / "mean.npy")}
            np.savez(folder / "state.npz", **mended)
        else:
            time.sleep(0.4)
        return super().restore(folder, restore)


class LossInPlace(Clean):
    """Exact; every loss and rate is written into the same array."""

    def build(self, seed):
        super().build(seed)
        self.reported, self.used = np.zeros(()), np.zeros(())

    def train(self, step):
        done = super().train(step)
        self.reported[...], self.used[...] = done.loss, done.learning_rate * (1 + step)
        return Step(self.reported, done.batch, self.used)


class OtherByteOrder(Clean):
    """The restore gives the same bytes in another order: other values."""

    def after_restore(self):
        self.live["v"] = self.live["v"].view(self.live["v"].dtype.newbyteorder())


class ConstantNaN(Clean):
    """The restore reads nothing: it starts like the control and trains to the boundary. One tensor is NaN throughout."""

    def build(self, seed):
        super().build(0)

    def state(self):
        return {"mask": Tensor(Kind.OTHER, np.array([np.nan, 1.0]))}

    def restore(self, folder, restore):
        for step in range(9):
            self.train(step)


class HalfNaN(Clean):
    """Complex numbers with NaN in one part; the restore loses the other."""

    def build(self, seed):
        super().build(seed)
        self.live["phase"] = np.array([complex(np.nan, seed + 1)])

    def state(self):
        return {name: Tensor(KINDS.get(name, Kind.OTHER), value.copy()) for name, value in self.live.items()}

    def wanted(self, held):
        return {name: name for name in held if name != "phase"}


class LessInTheEnd(Clean):
    """A tensor is not shown any more where it differs."""

    def state(self):
        shown = super().state()
        return {"step": shown["step"]} if self.live["step"] == 21 else shown


class CountsFromOne(Clean):
    def next_step(self):
        return super().next_step() + 1


class HalfAStep(Clean):
    def next_step(self):
        return super().next_step() + (0.5 if self.resumed else 0)


class OtherSignOfRate(Clean):
    def rate(self, step):
        return -0.0 if self.resumed else 0.0


class RateIsNaN(Clean):
    def train(self, step):
        done = super().train(step)
        return Step(done.loss, done.batch, float("nan"))


class SetsHashSeed(Clean):
    """Exact; sets the variable, as code that seeds everything does. It has no effect on a process that runs."""

    def __init__(self):
        os.environ["PYTHONHASHSEED"] = "42"


class HasText(Clean):
    """Exact; some of its state is text, or raw bytes."""

    def build(self, seed):
        super().build(seed)
        self.live["phase"] = np.array(["warm-up", f"{seed}"])
        self.live["key"] = np.array([bytes(8)], dtype="V8")

    def state(self):
        return {name: Tensor(KINDS.get(name, Kind.OTHER), value.copy()) for name, value in self.live.items()}


class HasAMask(Clean):
    def state(self):
        return super().state() | {"mask": Tensor(Kind.OTHER, np.ma.masked_array([1.0, 2.0], [True, False]))}


class NameIsNoText(Clean):
    def state(self):
        return {("w", 0): Tensor(Kind.WEIGHT, self.live["w"].copy())}


class NextStepRaises(Clean):
    """What the restore left cannot say where it is."""

    def next_step(self):
        if self.resumed:
            raise RuntimeError("no counter")
        return super().next_step()


class RestoresIsAText(Clean):
    restores = "all"


class RestoresAlike(Clean):
    restores = ("all a", "all-a")


class Accumulates(Clean):
    """Gradients of three steps are added up; the sum is not saved. After every third step it is zero, as at the start."""

    def build(self, seed):
        super().build(seed)
        self.live["sum"] = np.zeros(4)

    def state(self):
        return {name: Tensor(KINDS.get(name, Kind.ACCUMULATOR), value.copy()) for name, value in self.live.items()}

    def saved(self):
        return [name for name in self.live if name != "sum"]

    def train(self, step):
        done = super().train(step)
        self.live["sum"] = self.live["sum"] + self.batch(step).mean(0)
        if (step + 1) % 3 == 0:
            self.live["w"] = self.live["w"] - 0.01 * self.live["sum"]
            self.live["sum"] = np.zeros(4)
        return done

    def restore(self, folder, restore):
        super().restore(folder, restore)


# --- Jobs that do not reproduce themselves, whatever becomes of the restore. ------------------------------------------


class Jitters(Clean):
    """Every step is off by a little, as sums on many threads are."""

    def train(self, step):
        done = super().train(step)
        self.live["w"] = self.live["w"] + 1e-9 * np.random.default_rng().normal(size=4)
        return done


class JittersAndLoses(Jitters):
    """The momentum is lost, too: at the boundary that is no noise."""

    def wanted(self, held):
        return {name: name for name in held if name != "w/momentum"}


class JittersAndDrifts(Jitters):
    """After the restart something outside the tensors makes a difference far above the noise."""

    def train(self, step):
        done = super().train(step)
        if self.resumed:
            self.live["v"] = self.live["v"] + 1e-3
        return done


class Unseeded(Clean):
    def batch(self, step):
        return np.random.default_rng().normal(size=(8, 4))


class ReadsTheClock(Clean):
    def state(self):
        return super().state() | {"now": Tensor(Kind.OTHER, np.array(time.perf_counter()))}


class Rounds(Clean):
    """What comes back went through single precision."""

    def after_restore(self):
        self.live["v"] = self.live["v"].astype(np.float32).astype(float)


# --- Jobs that are wrong in themselves. ------------------------------------------------------------------------------


class LossIsText(Clean):
    def train(self, step):
        done = super().train(step)
        return Step("much" if step == 5 else done.loss, done.batch)


class BatchOfObjects(Clean):
    def train(self, step):
        return Step(super().train(step).loss, [np.array([None, 1])])


class EvaluatesToNothing(Clean):
    def evaluate(self):
        return None


class StateIsPlain(Clean):
    """Arrays without a kind will do."""

    def state(self):
        return dict(self.live)


class NoJob:
    """Has two of the methods."""

    restores = ("all",)

    def build(self, seed):
        pass

    def train(self, step):
        pass


class EpochOfNothing(Clean):
    steps_per_epoch = 0


class NoRestores(Clean):
    restores = ()


def make_clean():
    return Clean()


# --- Jobs with a training loop of their own. -------------------------------------------------------------------------


class Loops:
    """Like `Clean`, but nobody tells it when to step. Saves at the end of an epoch, as callbacks do."""

    restores = ("all",)
    steps_per_epoch = STEPS_PER_EPOCH
    boundary_epochs = 2
    inner = Clean
    until = 100

    def __init__(self):
        self.job = self.inner()
        for name in ("build", "next_step", "evaluate", "state", "save", "restore"):
            setattr(self, name, getattr(self.job, name))

    def run(self, loop):
        for step in range(self.job.next_step(), self.until):
            loop.before_step()
            loop.after_step(self.job.train(step))
            if (step + 1) % self.steps_per_epoch == 0:
                loop.may_save()


class LoopsAndLoses(Loops):
    inner = SlotsLost


class LoopsTooShort(Loops):
    until = 15


class LoopRaises(Loops):
    def run(self, loop):
        loop.before_step()
        raise RuntimeError("no more of this")


class CreatesLate(Clean):
    """The momentum comes to be in the first step, and is filled there from the checkpoint if it was restored."""

    defers = True
    forgets = False

    def build(self, seed):
        super().build(seed)
        del self.live["w/momentum"]
        self.waiting = np.zeros(4)

    def train(self, step):
        if "w/momentum" not in self.live:
            self.live["w/momentum"] = self.waiting
        return super().train(step)

    def restore(self, folder, restore):
        super().restore(folder, restore)
        late = self.live.pop("w/momentum")
        if not self.forgets:
            self.waiting = late


class CreatesLateAndForgets(CreatesLate):
    forgets = True


# --- Defects of the save, of the program around the variables, and of the order of sets. -----------------------------------


class SavesAverages(Clean):
    """The averages are put into the weights for the save, and stay there."""

    def save(self, folder, step):
        self.live["w"] = self.live["w/average"].copy()
        super().save(folder, step)


class SavingTakesABatch(Clean):
    """The save looks at the next batch, and training goes on with the one after it."""

    taken = 0

    def batch(self, step):
        return super().batch(step + self.taken)

    def save(self, folder, step):
        super().save(folder, step)
        (folder / "taken").write_text(str(self.taken + 1))
        self.taken += 1

    def restore(self, folder, restore):
        self.taken = int((folder / "taken").read_text())
        return super().restore(folder, restore)


class EncodedBySet(Clean):
    """The columns of the inputs come in the order of a set."""

    def batch(self, step):
        columns = {name: index for index, name in enumerate({"height", "width", "depth", "weight", "age"})}
        return super().batch(step) * (1 + np.array([columns[name] for name in ("height", "width", "depth", "weight")]))


class CountsItself(Clean):
    """The learning rate falls with a count of steps that only the process remembers."""

    def build(self, seed):
        super().build(seed)
        self.count = 0

    def train(self, step):
        done = super().train(step)
        self.count += 1
        return done

    def rate(self, step):
        return 0.01 * 0.9**self.count


class WaitsForLoss(Clean):
    """The rate is halved where the loss has not fallen for some steps; nothing of that is saved."""

    def build(self, seed):
        super().build(seed)
        self.best, self.waited, self.cuts = 1e9, 0, 0

    def train(self, step):
        done = super().train(step)
        fell = done.loss < self.best - 1.0
        self.best, self.waited = (done.loss, 0) if fell else (self.best, self.waited + 1)
        if self.waited == 3:
            self.cuts, self.waited = self.cuts + 1, 0
        return done

    def rate(self, step):
        return 0.01 * 0.5**self.cuts


class RemembersALimit(Clean):
    """A limit for gradients grows in an object of the program's own."""

    def build(self, seed):
        super().build(seed)
        self.clip = Clip()

    def train(self, step):
        done = super().train(step)
        self.clip.limit += 0.1
        self.live["v"] = np.clip(self.live["v"], -self.clip.limit, self.clip.limit)
        return done


class Clip:
    limit = 0.0

    def __init__(self):
        self.limit = 0.1


class CountsCalls(Clean):
    """The rate is another one, and a counter that decides nothing begins again: the one is not the other's fault."""

    calls = 0

    def train(self, step):
        self.calls += 1
        return super().train(step)

    def rate(self, step):
        return 0.004 if self.resumed else 0.01


class OtherSettings(Clean):
    """A setting of the update is another one after the restart."""

    def train(self, step):
        done = super().train(step)
        return Step(done.loss, done.batch, done.learning_rate, hyperparameters={"momentum": 0.8 if self.resumed else 0.9})


class DrawsAgain(Clean):
    """Random numbers are drawn from a generator that nobody can look into, and that begins again."""

    def build(self, seed):
        super().build(seed)
        self.generator = np.random.default_rng(5)

    def train(self, step):
        done = super().train(step)
        return Step(done.loss, done.batch, done.learning_rate, draws=[self.generator.normal(size=3)])


class DrawsAnew(DrawsAgain):
    """The same with a generator that is seeded from outside after the restore."""

    def after_restore(self):
        self.generator = np.random.default_rng(6)


class TwoGenerators(DrawsAgain):
    """Of three generators that nobody can look into one goes on, one begins again, and one is seeded from outside."""

    def build(self, seed):
        super().build(seed)
        self.other = np.random.default_rng(8)

    def after_restore(self):
        self.other = np.random.default_rng(9)

    def train(self, step):
        done = super().train(step)
        follows = np.random.default_rng((1, step)).normal(size=3)
        return Step(done.loss, done.batch, done.learning_rate, draws=[*done.draws, follows, self.other.normal(size=3)])


class OlderCheckpoint(Clean):
    """The weights are taken from the save before the newest, the counter from the newest."""

    def save(self, folder, step):
        super().save(folder, step)
        np.savez(folder / f"{step}.npz", **{name.replace("/", "|"): value for name, value in self.live.items()})

    def restore(self, folder, restore):
        restored = super().restore(folder, restore)
        oldest = min(int(each.stem) for each in folder.glob("[0-9]*.npz"))
        with np.load(folder / f"{oldest}.npz") as file:
            self.live |= {name: file[name.replace("/", "|")] for name in self.live if name != "step"}
        return restored


class DecaysInTheRestore(Clean):
    """The restore makes a step with weight decay."""

    def after_restore(self):
        for name in ("w", "v"):
            self.live[name] = self.live[name] * 0.99


class Renamed(Clean):
    """The resumed process has other names for two of its tensors, and restores them rightly."""

    def state(self):
        other = {"w/momentum": "u/momentum", "mean": "norm/mean"} if self.renames() else {}
        return {other.get(name, name): tensor for name, tensor in super().state().items()}

    def renames(self):
        return os.environ["PYTHONHASHSEED"] == "2"


class RenamedAndLost(Renamed):
    """The same, and one of them is not restored."""

    def wanted(self, held):
        return {name: name for name in held if name != "w/momentum"}


class Stops(Clean):
    """The moving mean is no longer updated in the resumed run."""

    def train(self, step):
        kept = self.live["mean"]
        done = super().train(step)
        if self.resumed:
            self.live["mean"] = kept
        return done


class LosesSlotsAndHidesInEvaluation(Clean):
    """The momentum is lost, and something that nobody sees changes the evaluation."""

    def wanted(self, held):
        return {name: name for name in held if name != "w/momentum"}

    def evaluate(self):
        return super().evaluate() + (1e-3 if self.resumed else 0.0)


class NeverAveraged(Clean):
    """The average of the weights is there, and never updated."""

    def train(self, step):
        kept = self.live["w/average"]
        done = super().train(step)
        self.live["w/average"] = kept
        return done


class LossScaleLost(Clean):
    """The loss scale begins again."""

    def build(self, seed):
        super().build(seed)
        self.live["scale"] = np.array(2.0**15)

    def train(self, step):
        self.live["scale"] = self.live["scale"] * 2
        return super().train(step)

    def state(self):
        kinds = KINDS | {"scale": Kind.LOSS_SCALE}
        return {name: Tensor(kinds[name], value.copy()) for name, value in self.live.items()}

    def wanted(self, held):
        return {name: name for name in held if name != "scale"}
