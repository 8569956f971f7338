"""Train a small tabular classifier with Keras; an interrupted job goes on from its last epoch."""

import argparse
import json
from pathlib import Path

import keras
import numpy as np

EPOCHS = 4
BATCH_SIZE = 32
FEATURES = 12


def make_data(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(384, FEATURES)).astype("float32")
    score = x[:, 0] - 0.7 * x[:, 1] + 0.5 * x[:, 2] * x[:, 3]
    y = (score + rng.normal(scale=1.5, size=len(x)) > 0).astype("float32")
    return (x[:256], y[:256]), (x[256:], y[256:])


class ResumableEarlyStopping(keras.callbacks.EarlyStopping):
    """Early stopping whose progress survives a restart of the job."""

    def __init__(self, path, **options):
        super().__init__(**options)
        self.path = path

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        if self.path.exists():
            vars(self).update(json.loads(self.path.read_text()))

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        names = ("best", "best_epoch", "wait", "stopped_epoch")
        self.path.write_text(json.dumps({name: float(getattr(self, name)) for name in names}))


def build_model(learning_rate):
    model = keras.Sequential(
        [
            keras.Input((FEATURES,)),
            keras.layers.Dense(16, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.Activation("relu"),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss="binary_crossentropy",
        metrics=["accuracy"],
    )
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument(
        "--reduce-lr", action="store_true", help="halve the learning rate when val_loss stalls"
    )
    args = parser.parse_args()

    final_path = args.out / "final.keras"
    if final_path.exists():
        print(f"{final_path} exists, nothing to do")
        return

    args.out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(args.seed)
    train, val = make_data(args.seed)
    model = build_model(args.lr)

    progress = args.out / "early_stopping.json"
    callbacks = [ResumableEarlyStopping(progress, monitor="val_loss", patience=10)]
    if args.reduce_lr:
        callbacks.append(
            keras.callbacks.ReduceLROnPlateau(
                monitor="val_loss", factor=0.5, patience=1, min_delta=0.01, verbose=1
            )
        )
    callbacks.append(keras.callbacks.BackupAndRestore(args.out / "backup"))

    model.fit(
        *train,
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        validation_data=val,
        callbacks=callbacks,
        shuffle=False,  # the rows are already in random order
        verbose=2,
    )

    model.save(final_path)
    metrics = model.evaluate(*val, verbose=0, return_dict=True)
    (args.out / "metrics.json").write_text(json.dumps(metrics, indent=2))
    print("validation:", metrics)


if __name__ == "__main__":
    main()
