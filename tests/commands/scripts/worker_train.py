"""Worker: train a signal classifier with random augmentation in a tf.function loop."""

import argparse
import json
from pathlib import Path

import numpy as np
import tensorflow as tf

STEPS_PER_EPOCH = 8
BATCH_SIZE = 24
LENGTH = 16


def make_signals(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, size=STEPS_PER_EPOCH * BATCH_SIZE)
    phase = rng.uniform(0, 2 * np.pi, size=(len(labels), 1))
    signals = np.sin((1 + labels[:, None]) * np.linspace(0, 2 * np.pi, LENGTH) + phase)
    return signals.astype(np.float32), labels.astype(np.float32)[:, None]


class Network(tf.Module):
    def __init__(self, seed, units=24):
        super().__init__()
        init = tf.initializers.GlorotUniform(seed=seed)
        self.w1 = tf.Variable(init((LENGTH, units)), name="w1")
        self.b1 = tf.Variable(tf.zeros(units), name="b1")
        self.w2 = tf.Variable(init((units, 1)), name="w2")
        self.b2 = tf.Variable(tf.zeros(1), name="b2")

    def __call__(self, x):
        return tf.nn.elu(x @ self.w1 + self.b1) @ self.w2 + self.b2


def parse_args():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--noise", type=float, default=0.3)
    parser.add_argument("--reseed", action="store_true")
    return parser.parse_args()


def main():
    args = parse_args()
    tf.keras.utils.set_random_seed(args.seed)
    signals, labels = make_signals(args.seed)
    net = Network(args.seed)
    optimizer = tf.keras.optimizers.Adam(0.01)
    optimizer.build(net.trainable_variables)
    augment_rng = tf.random.Generator.from_seed(args.seed)
    epoch = tf.Variable(0, trainable=False)

    objects = {"net": net, "optimizer": optimizer, "epoch": epoch}
    if not args.reseed:
        objects["augment_rng"] = augment_rng
    checkpoint = tf.train.Checkpoint(**objects)
    manager = tf.train.CheckpointManager(checkpoint, str(args.out / "ckpt"), max_to_keep=3)
    checkpoint.restore(manager.latest_checkpoint)

    @tf.function
    def train_step(x, y):
        x = x * augment_rng.uniform((BATCH_SIZE, 1), 0.8, 1.2)
        x = x + args.noise * augment_rng.normal(x.shape)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(y, net(x)))
        variables = net.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return loss

    while int(epoch) < args.epochs:
        order = np.random.default_rng((args.seed, int(epoch))).permutation(len(signals))
        losses = []
        for rows in order.reshape(STEPS_PER_EPOCH, BATCH_SIZE):
            losses.append(float(train_step(tf.constant(signals[rows]), tf.constant(labels[rows]))))
        epoch.assign_add(1)
        manager.save()
        print(f"epoch {int(epoch)}: mean loss {np.mean(losses):.5f}", flush=True)

    accuracy = np.mean((net(signals).numpy() > 0) == (labels > 0.5))
    (args.out / "result.json").write_text(json.dumps({"accuracy": round(float(accuracy), 4)}))


if __name__ == "__main__":
    main()
