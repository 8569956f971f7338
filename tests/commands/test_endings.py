"""How a command may end, and what it writes at its end; each with the clean twin."""

import sys
from pathlib import Path
from typing import Any

import pytest

from ckptcheck import verify
from ckptcheck.report.case import Case
from tests.commands.test_edge import LOOP

pytestmark = pytest.mark.commands

# Twenty steps, saved after each five. Its second argument says how it ends.
SCRIPT = """
import os, sys, time
import numpy as np
import tensorflow as tf

folder, ending = sys.argv[1:]
tf.keras.utils.set_random_seed(0)
model = tf.keras.Sequential([tf.keras.Input((4,)), tf.keras.layers.Dense(2)])
optimizer = tf.keras.optimizers.Adam(0.1)
optimizer.build(model.trainable_variables)
checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer)
elsewhere = os.path.join(os.path.dirname(__file__), "saves")
place = elsewhere if ending == "elsewhere" else folder
manager = tf.train.CheckpointManager(checkpoint, place, max_to_keep=None)
is_resumed = bool(manager.restore_or_initialize())
total = 20 + is_resumed * {"later": 5, "earlier": -5}.get(ending, 0)
cache = os.path.join(os.path.dirname(__file__), "cache.npy")
if ending == "reads" and is_resumed:
    np.load(cache)
average, saves, times = np.zeros((4, 2)), 0, np.zeros(30)

@tf.function
def train_step(x):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(x) - 1) ** 2)
    optimizer.apply(tape.gradient(loss, model.trainable_variables))
    return loss

while optimizer.iterations < total:
    x = np.random.default_rng(int(optimizer.iterations)).normal(size=(8, 4)).astype("float32")
    train_step(tf.constant(x))
    if ending in ("average", "unsaved"):
        average = 0.9 * average + 0.1 * model.layers[0].kernel.numpy()
    if optimizer.iterations % 5 == 0:
        kernel = model.layers[0].kernel.numpy()
        if ending == "swa":
            average = kernel if saves == 0 else (average * saves + kernel) / (saves + 1)
            saves += 1
        manager.save()
    if ending == "best" and optimizer.iterations in (2, 4):
        model.save_weights(os.path.join(folder, "best.weights.h5"))
    if ending == "timed":
        times[int(optimizer.iterations) - 1] = time.time()
    if ending == "reads":
        np.save(cache, average)
if ending == "average":
    np.savez(os.path.join(folder, "average.npz"), average)
if ending == "weights":
    np.savez(os.path.join(folder, "weights.npz"), model.layers[0].kernel.numpy())
if ending == "fails" and is_resumed:
    sys.exit(1)
if ending == "at once":
    os._exit(0)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "train.py"
    file.write_text(SCRIPT)
    return file


def verified(script: Path, ending: str, **asked: Any) -> Case:
    (case,) = verify(command=[sys.executable, str(script), "{run}", ending], **asked).cases
    return case


@pytest.mark.parametrize("ending", ["well", "weights", "at once", "timed"])
def test_it_recovers(script: Path, ending: str) -> None:
    case = verified(script, ending)
    assert (case.outcome, case.reason) == ("recovered", None)


def test_a_save_that_nothing_resumes_from_is_passed_over(script: Path) -> None:
    case = verified(script, "best")  # the second save is one of the weights alone
    assert (case.outcome, case.reason) == ("recovered", None)
    assert case.document()["boundary_step"] == 5


@pytest.mark.parametrize("steps", [12, 20, 25])
def test_it_recovers_where_both_runs_end_early(script: Path, steps: int) -> None:
    case = verified(script, "well", max_steps=steps)
    assert (case.outcome, case.reason) == ("recovered", None)
    assert case.comparison is not None
    assert len(case.comparison.steps) == min(steps, 20) - 10


def test_a_run_that_exits_with_an_error_does_not_recover(script: Path) -> None:
    case = verified(script, "fails")
    assert case.outcome == "diverged"
    (found,) = case.diagnoses
    assert found.cause == "resumed-run-raised"
    assert "it exited with status 1" in found.sentence


@pytest.mark.parametrize("ending", ["average", "unsaved", "swa"])
def test_an_average_outside_of_the_variables_is_seen_in_memory(script: Path, ending: str) -> None:
    case = verified(script, ending)
    assert (case.outcome, case.reason) == (
        "inconclusive",
        "All else that was seen is equal, but after the save, the restarted run made other values of average than the control. This array is kept outside of the framework's variables: save it, too. If it is a record that the training does not read, keep it in a list of numbers.",
    )


@pytest.mark.parametrize(("ending", "made"), [("later", 15), ("earlier", 5)])
def test_a_run_that_ends_at_a_different_step_does_not_recover(
    script: Path, ending: str, made: int
) -> None:
    case = verified(script, ending)
    assert case.outcome == "diverged"
    (found,) = case.diagnoses
    assert (found.cause, found.sentence) == (
        "wrong-last-step",
        f"After the save, the control made 10 steps, but the resumed run {made}.",
    )


def test_a_run_that_reads_what_the_control_wrote_after_the_save_proves_nothing(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(script.parent)
    case = verified(script, "reads")
    assert (case.outcome, case.reason) == (
        "inconclusive",
        f"The restarted run read {script.parent / 'cache.npy'}, which the control wrote after the save: a run that was killed there would not find it so. Let the command write it into its folder, too.",
    )


def test_checkpoints_elsewhere_are_named(script: Path) -> None:
    case = verified(script, "elsewhere")
    assert (case.outcome, case.reason) == (
        "inconclusive",
        f"The command saved its checkpoints elsewhere, such as {script.parent / 'saves' / 'ckpt-1'}. Put {{run}} in place of that folder, or name it with --writes.",
    )


THREAD = """
import threading

def train():
    while True:
        step(*batch(count()))
        if count() % 5 == 0:
            manager.save()

manager = manage()
threading.Thread(target=train).start()
threading.Event().wait()
"""


def test_a_program_that_waits_for_its_thread_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "train.py").write_text(LOOP + THREAD)
    monkeypatch.chdir(tmp_path)
    (case,) = verify(command=[sys.executable, "train.py", "{run}"], max_steps=15).cases
    assert (case.outcome, case.reason) == ("recovered", None)


def test_steps_that_are_made_at_once_are_not_taken_apart_for_a_callback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = """
import sys
import keras, numpy as np

class Decay(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        self.model.optimizer.learning_rate *= 0.5

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile("sgd", "mse", steps_per_execution=4)
model.fit(np.ones((32, 4)), np.ones((32, 1)), 4, callbacks=[Decay()], verbose=0)
"""
    (tmp_path / "train.py").write_text(program)
    monkeypatch.chdir(tmp_path)
    (case,) = verify(command=[sys.executable, "train.py", "{run}"]).cases
    assert (case.outcome, case.reason) == (
        "inconclusive",
        "The command could not be observed: fit executes 4 steps at once, and a callback acts after each call. Verify with steps_per_execution=1.",
    )


# The order of an epoch is in its variables: 5 steps, saved after each three.
EPOCHS = """
import os, pickle
path = run + "/state.pkl"
held, order = [*model.variables, *optimizer.variables], []
if os.path.exists(path):
    with open(path, "rb") as file:
        values, order, state = pickle.load(file)
    for variable, value in zip(held, values):
        variable.assign(value)
    if sys.argv[2] == "keeps":
        np.random.set_state(state)
while count() < 20:
    if not order:
        order = np.random.permutation(5).tolist()
    step(*batch(order.pop()))
    if count() % 3 == 0:
        with open(path, "wb") as file:
            pickle.dump(([each.numpy() for each in held], order, np.random.get_state()), file)
"""


@pytest.mark.parametrize(
    ("keeps", "steps", "outcome"),
    [
        ("keeps", 8, "recovered"),
        ("loses", 8, "inconclusive"),
        ("loses", 12, "diverged"),
    ],
)
def test_a_generator_of_the_next_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keeps: str, steps: int, outcome: str
) -> None:
    (tmp_path / "train.py").write_text(LOOP + EPOCHS)
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "train.py", "{run}", keeps]
    (case,) = verify(command=command, max_steps=steps).cases
    assert case.outcome == outcome
    if outcome == "inconclusive":
        assert case.reason == (
            "numpy.random differs from the control's, and no step before the end that --max-steps sets draws from it. A later epoch may, for its data order: let --max-steps end the runs more than one epoch after the save."
        )
