"""Train a small digit-like image classifier with Keras 2 (tf_keras), one epoch per fit call."""

import argparse
import json
import os
from pathlib import Path

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
import tf_keras as keras

SEED = 1234
EPOCHS = 4
BATCH_SIZE = 16
N_TRAIN = 8 * BATCH_SIZE


def load_images(path):
    """Eight-by-eight images of bars, kept in an .npz next to the checkpoints."""
    if not path.exists():
        rng = np.random.default_rng(SEED)
        labels = rng.integers(0, 4, size=N_TRAIN)
        images = rng.normal(scale=0.4, size=(N_TRAIN, 8, 8, 1))
        for image, label in zip(images, labels):
            if label < 2:
                image[2 + 3 * label, :, 0] += 1.0
            else:
                image[:, 2 + 3 * (label - 2), 0] += 1.0
        np.savez_compressed(path, images=images.astype("float32"), labels=labels)
    with np.load(path) as data:
        return data["images"], data["labels"]


def build_model():
    model = keras.Sequential(
        [
            keras.layers.Conv2D(6, 3, strides=2, use_bias=False, input_shape=(8, 8, 1)),
            keras.layers.BatchNormalization(momentum=0.8),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
            keras.layers.Dense(4),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=0.01),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--h5", action="store_true", help="save the weights as .h5 files")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    images, labels = load_images(args.out / "bars.npz")
    model = build_model()

    status = args.out / "status.json"
    epoch = 0
    if status.exists():
        saved = json.loads(status.read_text())
        epoch = saved["epoch"]
        model.load_weights(args.out / saved["weights"])
        print(f"continuing after epoch {epoch}")

    while epoch < EPOCHS:
        order = np.random.default_rng((SEED, epoch)).permutation(len(images))
        history = model.fit(
            images[order], labels[order], batch_size=BATCH_SIZE, shuffle=False, verbose=0
        )
        epoch += 1
        weights = f"weights-{epoch:02d}" + (".h5" if args.h5 else "")
        model.save_weights(args.out / weights)
        tmp = status.with_suffix(".tmp")
        tmp.write_text(json.dumps({"epoch": epoch, "weights": weights}))
        tmp.replace(status)
        print(f"epoch {epoch}/{EPOCHS}: loss {history.history['loss'][0]:.5f}")


if __name__ == "__main__":
    main()
