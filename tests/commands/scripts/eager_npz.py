"""Train a small MLP eagerly on noisy moons; the state is kept as plain .npz and .json files."""

import argparse
import json
import os

import numpy as np
import tensorflow as tf

SEED = 5
EPOCHS, STEPS, BATCH = 4, 8, 25


def get_data(path):
    if not os.path.exists(path):
        rng = np.random.default_rng(SEED)
        angle = rng.uniform(0, np.pi, size=EPOCHS * 50)
        side = rng.integers(0, 2, size=angle.size)
        x = np.stack([np.cos(angle) + side, np.sin(angle) * (1 - 2 * side) + side / 2], axis=1)
        x += rng.normal(scale=0.2, size=x.shape)
        np.savez(path, x=x.astype(np.float32), y=side.astype(np.float32)[:, None])
    with np.load(path) as data:
        return data["x"], data["y"]


def save_state(folder, step, model, optimizer, weights_only):
    arrays = {f"w{i}": v for i, v in enumerate(model.get_weights())}
    if not weights_only:
        arrays.update({f"opt{i}": v.numpy() for i, v in enumerate(optimizer.variables)})
    name = f"state-{step:04d}.npz"
    tmp = os.path.join(folder, "tmp-" + name)
    np.savez(tmp, **arrays)
    os.replace(tmp, os.path.join(folder, name))
    tmp = os.path.join(folder, "progress.json.tmp")
    with open(tmp, "w") as f:
        json.dump({"step": step, "file": name}, f)
    os.replace(tmp, os.path.join(folder, "progress.json"))


def load_state(folder, model, optimizer):
    progress = os.path.join(folder, "progress.json")
    if not os.path.exists(progress):
        return 0
    with open(progress) as f:
        info = json.load(f)
    with np.load(os.path.join(folder, info["file"])) as data:
        model.set_weights([data[f"w{i}"] for i in range(len(model.weights))])
        for i, variable in enumerate(optimizer.variables):
            if f"opt{i}" in data:
                variable.assign(data[f"opt{i}"])
    return info["step"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--weights-only", action="store_true", help="save no optimizer variables")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)

    tf.keras.utils.set_random_seed(SEED)
    x, y = get_data(os.path.join(args.out, "moons.npz"))
    hidden = tf.keras.layers.Dense(32, activation="relu")
    head = tf.keras.layers.Dense(1)
    model = tf.keras.Sequential([tf.keras.Input((2,)), hidden, head])
    optimizer = tf.keras.optimizers.Adam(0.02)
    optimizer.build(model.trainable_variables)

    step = load_state(args.out, model, optimizer)
    print(f"starting at step {step}")
    while step < EPOCHS * STEPS:
        epoch, batch = divmod(step, STEPS)
        order = np.random.default_rng((SEED, epoch)).permutation(len(x))
        rows = order[batch * BATCH : (batch + 1) * BATCH]
        with tf.GradientTape() as tape:
            h = tf.nn.experimental.stateless_dropout(hidden(x[rows]), 0.2, seed=(SEED, step))
            logits = head(h)
            loss = tf.reduce_mean(
                tf.nn.sigmoid_cross_entropy_with_logits(labels=y[rows], logits=logits)
            )
        grads = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(grads, model.trainable_variables))
        step += 1
        if step % STEPS == 0:
            save_state(args.out, step, model, optimizer, args.weights_only)
            print(f"epoch {epoch + 1}: loss {loss.numpy():.5f}")


if __name__ == "__main__":
    main()
