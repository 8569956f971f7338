"""`bn-nn`: the article's own batch norm, on `tf.nn` and `tf.train.ExponentialMovingAverage`."""

from dataclasses import replace
from typing import Any

import tensorflow as tf

from ckptcheck.adapters.tf1 import Network
from ckptcheck.jobs.article import ArticleJob
from ckptcheck.jobs.options import EmaOptions

tf1 = tf.compat.v1


class BatchNormNN(ArticleJob[EmaOptions]):
    """Batch norm whose moving mean and variance are averages of *tensors*.

    `ema.apply` on tensors creates ordinary global variables, so a plain `Saver` restores them.
    """

    def __init__(self, options: EmaOptions) -> None:
        super().__init__(options)
        # For each layer: its EMA, and the batch mean and variance that the EMA averages.
        self.averages: list[tuple[Any, list[Any]]] = []

    def normalise(self, net: Any, name: str, is_convolution: bool) -> Any:
        """Normalise with batch statistics in training, with the moving averages otherwise."""
        with tf1.name_scope(f"{name}/bn/"):
            mean, variance = tf.nn.moments(net, [0, 1, 2] if is_convolution else [0])
            # Each average is named after its tensor.
            mean, variance = tf.identity(mean, "mean"), tf.identity(variance, "variance")
            average = self.new_ema()
            average.apply([mean, variance])  # creates the variables; see `update_op` for the update
            self.averages.append((average, [mean, variance]))
            used_mean, used_variance = tf1.cond(
                self.is_training,
                lambda: (mean, variance),
                lambda: (average.average(mean), average.average(variance)),
            )
            gamma = tf1.get_variable(
                f"{name}/bn/gamma", [net.shape[-1]], initializer=tf1.ones_initializer()
            )
            beta = tf1.get_variable(
                f"{name}/bn/beta", [net.shape[-1]], initializer=tf1.zeros_initializer()
            )
            return tf.nn.batch_normalization(
                net, used_mean, used_variance, beta, gamma, self.options.epsilon
            )

    def new_ema(self) -> Any:
        """Return an EMA with the options' decay; `num_updates` lowers it in the first steps."""
        updates = self.training_step if self.options.num_updates else None
        return tf1.train.ExponentialMovingAverage(self.options.decay, num_updates=updates)

    def update_op(self) -> Any:
        """Return an operation that updates all moving averages after all batch statistics.

        In the article's separate session.run, `is_training` is False. A deeper layer's statistics
        then depend on earlier layers' averages, the same that are being updated. The article
        leaves the order open: reads may come before or after the updates, and two runs with the
        same seed differ in their last digits.
        """
        with tf.control_dependencies(
            [tensor for _, tensors in self.averages for tensor in tensors]
        ):
            return tf.group(*(average.apply(tensors) for average, tensors in self.averages))

    def minimise(self, optimizer: Any, loss: Any, global_step: Any) -> Any:
        """Return the train op, which also updates the moving averages if `update` is `fused`."""
        with tf.control_dependencies([self.update_op()] if self.options.update == "fused" else []):
            return optimizer.minimize(loss, global_step)

    def network(self) -> Network:
        """Return the article's network, with the operations that update and start the averages."""
        return replace(
            super().network(), update_op=self.updates(), start_op=self.start(), ema=self.ema()
        )

    def updates(self) -> Any:
        """Return the update op for a separate `session.run`; None if the update is fused."""
        return self.update_op() if self.options.update == "separate" else None

    def start(self) -> Any:
        """Return the operation that starts the moving variances at 1; None to start at 0."""
        if self.options.start == "zero":
            return None
        variances = [average.average(variance) for average, (_, variance) in self.averages]
        return tf.group(*(variance.assign(tf.ones_like(variance)) for variance in variances))

    def ema(self) -> Any:
        """Return an EMA like the layers': `variables_to_restore` only needs the same name."""
        return self.new_ema()
