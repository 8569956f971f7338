"""`tf.train.Saver` over the last checkpoint, and with the step in the name."""

import numpy as np
import tensorflow as tf

from ckptcheck.jobs.savers.commit import commit_folder, newest

tf1 = tf.compat.v1


class Training:
    """A new graph, whose weights are different each time."""

    def __init__(self):
        with tf.Graph().as_default() as self.graph:
            self.inputs = tf1.placeholder(tf.float32, (None, 8))
            weights = tf1.get_variable("weights", (8, 16))
            loss = tf.reduce_mean(tf.square(self.inputs @ weights))
            self.step = tf1.train.get_or_create_global_step()
            self.update = tf1.train.AdamOptimizer().minimize(loss, global_step=self.step)
            self.variables = tf1.global_variables()
            self.saver = tf1.train.Saver(max_to_keep=1)
            self.session = tf1.Session()
            self.session.run(tf1.global_variables_initializer())

    def train(self):
        """Make a step."""
        inputs = np.random.default_rng().normal(size=(16, 8))
        self.session.run(self.update, {self.inputs: inputs})

    def state(self):
        """Return weights, optimizer state and step as arrays by name."""
        names = [each.name for each in self.variables]
        return dict(zip(names, self.session.run(self.variables), strict=True))


def train_and_save(save):
    def run(folder, saved):
        training = Training()
        for _ in range(2):
            training.train()
            with training.graph.as_default():
                save(training, folder)
            saved(training.state())
        training.session.close()

    return run


def in_place(training, folder):
    training.saver.save(training.session, f"{folder}/model.ckpt")


def numbered(training, folder):
    training.saver.save(training.session, f"{folder}/model.ckpt", global_step=training.step)


def fixed(training, folder):
    def write(path):
        training.saver.save(training.session, f"{path}/model.ckpt", write_state=False)

    commit_folder(folder, int(training.session.run(training.step)), write)


def read(prefix):
    training = Training()
    try:
        with training.graph.as_default():
            training.saver.restore(training.session, prefix)
        return training.state()
    finally:
        training.session.close()


def restore(folder):
    prefix = tf1.train.latest_checkpoint(str(folder))
    return None if prefix is None else read(prefix)


def restore_fixed(folder):
    path = newest(folder)
    return None if path is None else read(f"{path}/model.ckpt")


SAVERS = {
    "tf-saver": (train_and_save(in_place), restore),
    "tf-saver-step": (train_and_save(numbered), restore),
    "tf-saver-fixed": (train_and_save(fixed), restore_fixed),
}
