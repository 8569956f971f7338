"""Programs in styles that once failed under the observer, or were not seen to train."""

import sys
from pathlib import Path

import pytest

from ckptcheck import verify

LOOP = """
import sys, threading, queue
import keras, numpy as np, tensorflow as tf

run = sys.argv[1]
x = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
y = x[:, :1] * x[:, 1:2]

def make():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(model.trainable_variables)
    return model, optimizer

model, optimizer = make()

def loss_of(x, y):
    return tf.reduce_mean((model(x) - y) ** 2)

def eager_step(x, y, function=None):
    with tf.GradientTape() as tape:
        loss = loss_of(x, y)
    gradients = tape.gradient(target=loss, sources=model.trainable_variables)
    optimizer.apply(gradients, model.trainable_variables)
    return loss

step = tf.function(eager_step)
validate = tf.function(loss_of)
batch = lambda count: (tf.constant(x[count % 5 * 8:][:8]), tf.constant(y[count % 5 * 8:][:8]))

def manage():
    checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer)
    manager = tf.train.CheckpointManager(checkpoint, run, max_to_keep=2)
    manager.restore_or_initialize()
    return manager

def count():
    return int(optimizer.iterations.numpy())
"""

_PLAIN = """
manager = manage()
while count() < 20:
    step(*batch(count()))
    if count() % 5 == 0:
        manager.save()
"""

_SESSION = """
import sys
import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_eager_execution()
run = sys.argv[1]

def build():
    tf.set_random_seed(0)
    ids = tf.placeholder(tf.int32, (None,))
    table = tf.get_variable("table", (10, 2))
    count = tf.train.get_or_create_global_step()
    loss = tf.reduce_mean(tf.nn.embedding_lookup(table, ids) ** 2)
    optimizer = tf.train.AdagradOptimizer(0.1)
    gradients = optimizer.compute_gradients(loss)
    train = optimizer.apply_gradients(gradients, global_step=count)
    return ids, count, loss, train, gradients[0][0]
"""

PROGRAMS = {
    "it validates before it trains on": LOOP
    + """
manager = manage()
print(float(validate(x, y)))
while count() < 20:
    step(*batch(count()))
    if count() % 5 == 0:
        manager.save()
        print(float(validate(x, y)))
""",
    "an argument has a name of the observer": LOOP
    + _PLAIN.replace("step(*batch(count()))", "step(*batch(count()), function=1)"),
    "it computes a gradient without an update": LOOP
    + _PLAIN
    + """
        with tf.GradientTape() as tape:
            loss = loss_of(x, y)
        print(float(tf.linalg.global_norm(tape.gradient(loss, model.trainable_variables))))
""",
    "a thread prepares its data": LOOP
    + """
manager = manage()
prepare = tf.function(lambda x: x * 2.0)
ready = queue.Queue(2)
def feed(position):
    while True:
        data, target = batch(position)
        ready.put((prepare(data), target))
        position += 1
threading.Thread(target=feed, args=(count(),), daemon=True).start()
while count() < 20:
    step(*ready.get())
    if count() % 5 == 0:
        manager.save()
""",
    "a thread trains": LOOP
    + "def train():"
    + _PLAIN.replace("\n", "\n    ")
    + """
thread = threading.Thread(target=train)
thread.start()
thread.join()
""",
    "a mirrored model in a tf.function": LOOP
    + """
strategy = tf.distribute.MirroredStrategy(["CPU:0"])
with strategy.scope():
    model, optimizer = make()
step = tf.function(lambda x, y: strategy.run(eager_step, args=(x, y)))
"""
    + _PLAIN,
    "a mirrored model in eager mode": LOOP
    + """
strategy = tf.distribute.MirroredStrategy(["CPU:0"])
with strategy.scope():
    model, optimizer = make()
step = lambda x, y: strategy.run(eager_step, args=(x, y))
"""
    + _PLAIN,
    "it creates the slots by an update, and restores by hand": LOOP
    + """
import os, pickle
optimizer.apply([tf.zeros_like(each) for each in model.trainable_variables])
optimizer.iterations.assign(0)
held = [*model.variables, *optimizer.variables]
path = run + "/state.pkl"
if os.path.exists(path):
    with open(path, "rb") as file:
        for variable, value in zip(held, pickle.load(file)):
            variable.assign(value)
while count() < 19:
    step(*batch(count()))
    if count() % 5 == 4:
        with open(path, "wb") as file:
            pickle.dump([each.numpy() for each in held], file)
""",
    "it saves between two updates that sum up gradients": LOOP
    + """
sums = [tf.Variable(tf.zeros_like(each), trainable=False) for each in model.trainable_variables]
data = iter(tf.data.Dataset.from_tensor_slices((x, y)).shuffle(40, seed=1).batch(8).repeat())
parts = tf.Variable(0, dtype=tf.int64, trainable=False)
checkpoint = tf.train.Checkpoint(
    model=model, optimizer=optimizer, sums=sums, parts=parts, data=data
)
manager = tf.train.CheckpointManager(checkpoint, run, max_to_keep=2)
manager.restore_or_initialize()

@tf.function
def part(x, y):
    with tf.GradientTape() as tape:
        loss = loss_of(x, y)
    for total, gradient in zip(sums, tape.gradient(loss, model.trainable_variables)):
        total.assign_add(gradient / 3)

@tf.function
def update():
    optimizer.apply([each.read_value() for each in sums], model.trainable_variables)
    for total in sums:
        total.assign(tf.zeros_like(total))

while int(parts) < 60:
    part(*next(data))
    parts.assign_add(1)
    if int(parts) % 3 == 0:
        update()
    if int(parts) % 16 == 0:
        manager.save()
""",
    "its step is a concrete function": LOOP
    + """
step = step.get_concrete_function(*batch(0))
"""
    + _PLAIN,
    "it has called locals(), and counts its own iterations": LOOP
    + """
class Batches(list):
    passes = 0
    def __iter__(self):
        Batches.passes += 1
        return super().__iter__()

def main():
    config, data, gone = locals(), Batches(batch(number) for number in range(5)), weakref.proxy(set())
    config["rate"] = 0.01
    manager = manage()
    while count() < 20:
        for place, each in enumerate(data):
            step(*each)
        assert config["rate"] == 0.01 and len(config) == 1
        if count() % 5 == 0:
            manager.save()
    print("passes", Batches.passes)

import weakref
main()
""",
    "Keras 2 is imported after TensorFlow": """
import os, sys
import numpy as np
import tensorflow as tf
import tf_keras as keras

keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
x = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
path = sys.argv[1] + "/model.keras"
done = 0
if os.path.exists(path):
    model = keras.models.load_model(path)
    done = int(model.optimizer.iterations.numpy()) // 5
save = keras.callbacks.ModelCheckpoint(path)
model.fit(x, x[:, :1], 8, 4, 0, [save], shuffle=False, initial_epoch=done)
""",
    "it has an optimizer that it never uses": LOOP
    + """
if not tf.train.latest_checkpoint(run):
    unused = keras.optimizers.SGD(0.1, momentum=0.9)
    unused.build(model.trainable_variables)
"""
    + _PLAIN,
    "a session is fetched sparse gradients, and restored by keywords": _SESSION
    + """
ids, count, loss, train, gradient = build()
saver = tf.train.Saver()
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    print(session.run({"sparse": [tf.SparseTensor([[0, 0]], [1.0], [2, 2])]}))
    latest = tf.train.latest_checkpoint(run)
    if latest:
        saver.restore(sess=session, save_path=latest)
    while session.run(count) < 20:
        number = int(session.run(count))
        session.run([loss, train, gradient], {ids: [number % 10, 1]})
        if number % 5 == 4:
            saver.save(sess=session, save_path=run + "/model", global_step=count)
""",
    "each epoch has a session": _SESSION
    + """
for epoch in range(5):
    with tf.Graph().as_default():
        ids, count, loss, train, _ = build()
        saver = tf.train.Saver()
        with tf.Session() as session:
            latest = tf.train.latest_checkpoint(run)
            if latest:
                saver.restore(session, latest)
            else:
                session.run(tf.global_variables_initializer())
            if session.run(count) >= 20:
                break
            for number in range(5):
                session.run([loss, train], {ids: [number, 1]})
            saver.save(session, run + "/model", global_step=count)
""",
}


@pytest.mark.commands
@pytest.mark.parametrize("style", PROGRAMS)
def test_a_right_program_recovers(
    style: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "program.py").write_text(PROGRAMS[style], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    report = verify(command=[sys.executable, "program.py", "{run}"])
    (case,) = report.cases
    assert (case.outcome, case.reason) == ("recovered", None)
    document = case.document()
    assert (document["boundary_step"], document["steps"]) == (10, 20)


@pytest.mark.commands
def test_what_fails_in_the_observer_is_said_and_never_fails_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = """
from ckptcheck.adapters.tensorflow.observer import loops
loops.iterations_of = None
"""
    ends = "(open(run + '/end', 'w')).write(str(count()))\n"
    (tmp_path / "program.py").write_text(LOOP + fails + _PLAIN + ends, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    report = verify(command=[sys.executable, "program.py", "{run}"])
    (case,) = report.cases
    assert case.outcome == "inconclusive"
    assert "The command could not be observed: TypeError: " in str(case.reason)
    ends_of_runs = [path.read_text(encoding="utf-8") for path in tmp_path.rglob("end")]
    assert set(ends_of_runs) <= {"20"}
