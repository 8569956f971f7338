"""Keras fit with learning-rate warm-up, CSV and TensorBoard logs and tf.train checkpoints."""

import argparse
import importlib.util
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

EPOCHS = 4
WARMUP_EPOCHS = 2
BASE_LR = 0.02
BATCH = 32


def make_dataset():
    rng = np.random.default_rng(99)
    x = rng.uniform(-1, 1, size=(8 * BATCH, 4)).astype("float32")
    y = np.stack([x[:, 0] * x[:, 1], np.sin(3 * x[:, 2]) - x[:, 3]], axis=1).astype("float32")
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(BATCH).prefetch(tf.data.AUTOTUNE)


def build_model():
    inputs = keras.Input((4,))
    h = keras.layers.Dense(20, activation="gelu")(inputs)
    h = keras.layers.BatchNormalization(momentum=0.9)(h)
    h = keras.layers.Dense(10, activation="gelu")(h)
    model = keras.Model(inputs, keras.layers.Dense(2)(h))
    model.compile(optimizer=keras.optimizers.Adam(BASE_LR), loss="mse")
    model.optimizer.build(model.trainable_variables)
    return model


def schedule(epoch, lr):
    """Linear warm-up, then decay by a factor of ten over each three epochs."""
    if epoch < WARMUP_EPOCHS:
        return BASE_LR * (epoch + 1) / (WARMUP_EPOCHS + 1)
    return BASE_LR * 10 ** (-(epoch - WARMUP_EPOCHS) / 3)


class SaveEachEpoch(keras.callbacks.Callback):
    def __init__(self, manager, epochs_done):
        super().__init__()
        self.manager = manager
        self.epochs_done = epochs_done

    def on_epoch_end(self, epoch, logs=None):
        self.epochs_done.assign_add(1)
        self.manager.save()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--count-from-zero", action="store_true", help="number the epochs of each run from zero"
    )
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    keras.utils.set_random_seed(99)
    model = build_model()
    epochs_done = tf.Variable(0, dtype=tf.int64, trainable=False)
    checkpoint = tf.train.Checkpoint(
        model=model, optimizer=model.optimizer, epochs_done=epochs_done
    )
    manager = tf.train.CheckpointManager(checkpoint, str(args.out / "checkpoints"), max_to_keep=2)
    checkpoint.restore(manager.latest_checkpoint)
    done = int(epochs_done)
    if done >= EPOCHS:
        print("training is complete")
        return

    callbacks = [
        keras.callbacks.LearningRateScheduler(schedule, verbose=1),
        keras.callbacks.CSVLogger(args.out / "history.csv", append=True),
        SaveEachEpoch(manager, epochs_done),
    ]
    if importlib.util.find_spec("tensorboard"):
        callbacks.append(keras.callbacks.TensorBoard(args.out / "logs", update_freq="epoch"))
    first = 0 if args.count_from_zero else done
    last = first + EPOCHS - done
    model.fit(make_dataset(), initial_epoch=first, epochs=last, callbacks=callbacks, verbose=2)


if __name__ == "__main__":
    main()
