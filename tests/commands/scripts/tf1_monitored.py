"""Linear-ish demand forecast trained in a MonitoredTrainingSession (TF1 API)."""

import argparse
import itertools

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as tf1

tf1.disable_v2_behavior()

STEPS_PER_EPOCH = 8
TOTAL_STEPS = 4 * STEPS_PER_EPOCH
BATCH = 40


class Demand:
    """A year of made-up hourly demand, cut to a few hundred rows."""

    def __init__(self, seed=3):
        rng = np.random.default_rng(seed)
        hours = rng.uniform(0, 24, size=STEPS_PER_EPOCH * BATCH)
        temp = rng.normal(15, 8, size=hours.size)
        weekend = rng.integers(0, 2, size=hours.size)
        phase = 2 * np.pi * hours / 24
        self.x = np.stack(
            [np.sin(phase), np.cos(phase), np.sin(2 * phase), (temp - 15) / 8, weekend], axis=1
        ).astype(np.float32)
        demand = np.sin(phase) + 0.4 * ((temp - 15) / 8) ** 2 - 0.5 * weekend
        self.y = (demand + 0.1 * rng.normal(size=hours.size)).astype(np.float32)[:, None]
        self.seed = seed

    def batch(self, step):
        epoch, index = divmod(step, STEPS_PER_EPOCH)
        order = np.random.default_rng(self.seed + epoch).permutation(len(self.x))
        rows = order[index * BATCH : (index + 1) * BATCH]
        return self.x[rows], self.y[rows]

    def stream(self):
        for step in itertools.count():
            yield self.batch(step)


def build_graph(learning_rate):
    x = tf1.placeholder(tf.float32, [None, 5])
    y = tf1.placeholder(tf.float32, [None, 1])
    w1 = tf1.get_variable("w1", [5, 24], initializer=tf1.glorot_normal_initializer(seed=1))
    b1 = tf1.get_variable("b1", [24], initializer=tf1.zeros_initializer())
    w2 = tf1.get_variable("w2", [24, 1], initializer=tf1.glorot_normal_initializer(seed=2))
    b2 = tf1.get_variable("b2", [1], initializer=tf1.zeros_initializer())
    prediction = tf.matmul(tf.nn.relu(tf.matmul(x, w1) + b1), w2) + b2
    loss = tf.reduce_mean(tf1.squared_difference(prediction, y))
    global_step = tf1.train.get_or_create_global_step()
    optimizer = tf1.train.MomentumOptimizer(learning_rate, 0.9, use_nesterov=True)
    train_op = optimizer.minimize(loss, global_step=global_step)
    return x, y, loss, train_op, global_step


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, help="checkpoint directory")
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument(
        "--stream", action="store_true", help="read the batches from a generator, one after another"
    )
    args = parser.parse_args()

    tf1.set_random_seed(3)
    data = Demand()
    x, y, loss, train_op, global_step = build_graph(args.lr)
    with tf1.train.MonitoredTrainingSession(
        checkpoint_dir=args.out,
        hooks=[tf1.train.StopAtStepHook(last_step=TOTAL_STEPS)],
        save_checkpoint_secs=None,
        save_checkpoint_steps=STEPS_PER_EPOCH,
        save_summaries_steps=None,
        log_step_count_steps=None,
    ) as sess:
        step = sess.run(global_step)
        stream = data.stream()
        while step < TOTAL_STEPS and not sess.should_stop():
            batch_x, batch_y = next(stream) if args.stream else data.batch(step)
            value, _ = sess.run([loss, train_op], {x: batch_x, y: batch_y})
            step += 1
            if step % STEPS_PER_EPOCH == 0:
                print(f"step {step}: loss {value:.5f}")


if __name__ == "__main__":
    main()
