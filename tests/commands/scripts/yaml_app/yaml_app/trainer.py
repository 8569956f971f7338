"""GradientTape training with an exponential moving average of the weights."""

import json

import keras
import numpy as np
import tensorflow as tf

from yaml_app import data


class Trainer:
    def __init__(self, config, out):
        self.config = config
        self.out = out
        self.seed = config["seed"]
        keras.utils.set_random_seed(self.seed)
        self.x, self.y = data.load(config["data"], self.seed)

        self.model = self._build_model()
        self.optimizer = keras.optimizers.Adam(config["train"]["learning_rate"])
        self.optimizer.build(self.model.trainable_variables)
        self.epoch = tf.Variable(0, dtype=tf.int64, trainable=False, name="epoch")
        self.ema = [tf.Variable(w, trainable=False) for w in self.model.get_weights()]

        tracked = {"model": self.model, "optimizer": self.optimizer, "epoch": self.epoch}
        if config["ema"]["save_ema"]:
            tracked["ema"] = self.ema
        self.checkpoint = tf.train.Checkpoint(**tracked)
        self.manager = tf.train.CheckpointManager(
            self.checkpoint, str(out / "checkpoints"), max_to_keep=2
        )
        if self.manager.latest_checkpoint:
            self.checkpoint.restore(self.manager.latest_checkpoint)
            if not config["ema"]["save_ema"]:
                self._reset_ema()
            print(f"resumed after epoch {int(self.epoch)}")

    def _build_model(self):
        hidden = self.config["model"]["hidden"]
        return keras.Sequential(
            [
                keras.Input((self.config["data"]["features"],)),
                keras.layers.Dense(hidden),
                keras.layers.BatchNormalization(momentum=0.9),
                keras.layers.Activation("swish"),
                keras.layers.Dense(1),
            ]
        )

    def _reset_ema(self):
        for shadow, weight in zip(self.ema, self.model.get_weights()):
            shadow.assign(weight)

    @tf.function
    def _step(self, x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(self.model(x, training=True) - y))
        grads = tape.gradient(loss, self.model.trainable_variables)
        self.optimizer.apply_gradients(zip(grads, self.model.trainable_variables))
        decay = self.config["ema"]["decay"]
        for shadow, weight in zip(self.ema, self.model.weights):
            shadow.assign(decay * shadow + (1.0 - decay) * weight)
        return loss

    def fit(self):
        train = self.config["train"]
        while int(self.epoch) < train["epochs"]:
            epoch = int(self.epoch)
            losses = [
                float(self._step(tf.constant(x), tf.constant(y)))
                for x, y in data.batches(self.x, self.y, train["batch_size"], self.seed, epoch)
            ]
            self.epoch.assign_add(1)
            self.manager.save()
            print(f"epoch {epoch + 1}: loss {np.mean(losses):.5f}")

    def export(self):
        """Write the averaged weights, which are the ones that get deployed."""
        target = self.out / "export.npz"
        if target.exists():
            return
        averaged = [shadow.numpy() for shadow in self.ema]
        np.savez(target, *averaged)
        self.model.set_weights(averaged)
        mse = float(np.mean((self.model(self.x, training=False).numpy() - self.y) ** 2))
        (self.out / "report.json").write_text(json.dumps({"ema_mse": mse}))
