"""`tf.train.CheckpointManager`, which keeps one checkpoint."""

import tensorflow as tf

from ckptcheck.jobs.savers.commit import commit_folder, newest


class Training:
    """New weights with their slots, different each time."""

    def __init__(self):
        self.weights = tf.Variable(tf.random.normal((8, 16)))
        self.momentum = tf.Variable(tf.zeros((8, 16)))
        self.step = tf.Variable(0, dtype=tf.int64)
        self.checkpoint = tf.train.Checkpoint(
            weights=self.weights, momentum=self.momentum, step=self.step
        )

    def train(self):
        """Make a step."""
        inputs = tf.random.normal((16, 8))
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(inputs @ self.weights))
        self.momentum.assign(0.9 * self.momentum + tape.gradient(loss, self.weights))
        self.weights.assign_sub(0.1 * self.momentum)
        self.step.assign_add(1)

    def state(self):
        """Return weights, optimizer state and step as arrays by name."""
        variables = {"weights": self.weights, "momentum": self.momentum, "step": self.step}
        return {name: each.numpy() for name, each in variables.items()}


def stock(folder, saved):
    training = Training()
    manager = tf.train.CheckpointManager(training.checkpoint, str(folder), max_to_keep=1)
    for _ in range(2):
        training.train()
        manager.save()
        saved(training.state())


def restore(folder):
    training = Training()
    manager = tf.train.CheckpointManager(training.checkpoint, str(folder), max_to_keep=1)
    if manager.latest_checkpoint is None:
        return None
    training.checkpoint.restore(manager.latest_checkpoint).assert_consumed()
    return training.state()


def fixed(folder, saved):
    training = Training()
    for _ in range(2):
        training.train()
        commit_folder(
            folder,
            int(training.step.numpy()),
            lambda path: training.checkpoint.write(f"{path}/model"),
        )
        saved(training.state())


def restore_fixed(folder):
    path = newest(folder)
    if path is None:
        return None
    training = Training()
    training.checkpoint.read(f"{path}/model").assert_consumed()
    return training.state()


SAVERS = {
    "checkpoint-manager": (stock, restore),
    "checkpoint-manager-fixed": (fixed, restore_fixed),
}
