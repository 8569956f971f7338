"""Fit a regression network on synthetic sensor readings, one checkpoint file per epoch."""

import argparse
import os
import re

import keras
import numpy as np

EPOCHS = 4
STEPS = 8
BATCH = 32


def load_readings():
    rng = np.random.default_rng(2024)
    t = rng.uniform(-2, 2, size=(STEPS * BATCH, 6)).astype(np.float32)
    y = np.sin(t[:, :1]) + 0.3 * t[:, 1:2] * t[:, 2:3] + 0.05 * rng.normal(size=(len(t), 1))
    return t, y.astype(np.float32)


def create_model():
    inputs = keras.Input((6,), name="readings")
    x = keras.layers.Dense(24, activation="tanh")(inputs)
    x = keras.layers.BatchNormalization(momentum=0.9)(x)
    x = keras.layers.Dense(12, activation="tanh")(x)
    outputs = keras.layers.Dense(1)(x)
    model = keras.Model(inputs, outputs)
    model.compile(optimizer=keras.optimizers.Adam(1e-2), loss="mse", metrics=["mae"])
    return model


def latest_checkpoint(folder, suffix):
    """Return (path, epoch) of the newest checkpoint, or (None, 0)."""
    pattern = re.compile(r"model-(\d+)" + re.escape(suffix) + "$")
    found = []
    for name in os.listdir(folder):
        match = pattern.match(name)
        if match:
            found.append((int(match.group(1)), name))
    if not found:
        return None, 0
    epoch, name = max(found)
    return os.path.join(folder, name), epoch


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True, help="folder for the checkpoints")
    parser.add_argument("--weights-only", action="store_true", help="keep only the weights")
    args = parser.parse_args()

    os.makedirs(args.out, exist_ok=True)
    keras.utils.set_random_seed(2024)
    x, y = load_readings()

    suffix = ".weights.h5" if args.weights_only else ".keras"
    path, initial_epoch = latest_checkpoint(args.out, suffix)
    if path is None:
        model = create_model()
    elif args.weights_only:
        print(f"loading weights from {path}")
        model = create_model()
        model.load_weights(path)
    else:
        print(f"loading {path}")
        model = keras.models.load_model(path)

    checkpoint = keras.callbacks.ModelCheckpoint(
        os.path.join(args.out, "model-{epoch:02d}" + suffix),
        save_weights_only=args.weights_only,
    )
    model.fit(
        x,
        y,
        batch_size=BATCH,
        initial_epoch=initial_epoch,
        epochs=EPOCHS,
        shuffle=False,
        callbacks=[checkpoint],
        verbose=2,
    )
    loss, mae = model.evaluate(x, y, batch_size=BATCH, verbose=0)
    print(f"done: loss {loss:.4f}, mae {mae:.4f}")


if __name__ == "__main__":
    main()
