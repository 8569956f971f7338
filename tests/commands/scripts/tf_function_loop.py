"""Custom training loop (tf.function) for a three-class toy problem with tf.data input."""

import argparse
import os

import numpy as np
import tensorflow as tf

SEED = 11
BATCH_SIZE = 32
STEPS_PER_EPOCH = 8
EPOCHS = 4


def spirals(n, seed):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, size=n)
    radius = rng.uniform(0.1, 1.0, size=n)
    angle = 4.0 * radius + label * 2.0 * np.pi / 3.0 + rng.normal(scale=0.15, size=n)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return points.astype(np.float32), label.astype(np.int32)


def build_dataset():
    x, y = spirals(STEPS_PER_EPOCH * BATCH_SIZE, SEED)
    ds = tf.data.Dataset.from_tensor_slices((x, y))
    ds = ds.shuffle(len(x), seed=SEED, reshuffle_each_iteration=True)
    return ds.repeat().batch(BATCH_SIZE, drop_remainder=True).prefetch(2)


def build_model():
    return tf.keras.Sequential(
        [
            tf.keras.Input((2,)),
            tf.keras.layers.Dense(16),
            tf.keras.layers.BatchNormalization(momentum=0.9),
            tf.keras.layers.ReLU(),
            tf.keras.layers.Dense(16, activation="relu"),
            tf.keras.layers.Dense(3),
        ]
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument(
        "--no-iterator",
        action="store_true",
        help="leave the input pipeline out of the checkpoint (much smaller with big shuffles)",
    )
    args = parser.parse_args()

    tf.keras.utils.set_random_seed(SEED)
    model = build_model()
    optimizer = tf.keras.optimizers.Adam(0.01)
    optimizer.build(model.trainable_variables)
    loss_fn = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    step = tf.Variable(0, dtype=tf.int64, trainable=False)
    iterator = iter(build_dataset())

    parts = {"model": model, "optimizer": optimizer, "step": step}
    if not args.no_iterator:
        parts["iterator"] = iterator
    checkpoint = tf.train.Checkpoint(**parts)
    manager = tf.train.CheckpointManager(checkpoint, os.path.join(args.out, "ckpt"), max_to_keep=3)
    if manager.restore_or_initialize():
        print(f"restored {manager.latest_checkpoint} at step {int(step)}")

    @tf.function
    def train_step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_fn(y, model(x, training=True))
        grads = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(grads, model.trainable_variables))
        step.assign_add(1)
        return loss

    while int(step) < EPOCHS * STEPS_PER_EPOCH:
        x, y = next(iterator)
        loss = train_step(x, y)
        if int(step) % STEPS_PER_EPOCH == 0:
            manager.save(checkpoint_number=int(step))
            print(f"step {int(step):3d}  loss {float(loss):.5f}")


if __name__ == "__main__":
    main()
