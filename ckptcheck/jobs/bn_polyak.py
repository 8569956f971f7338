"""`bn-polyak`: `bn-nn` with Polyak averaging, an EMA over the trainable variables."""

from typing import Any

import tensorflow as tf

from ckptcheck.jobs.bn_nn import BatchNormNN

tf1 = tf.compat.v1


class BatchNormPolyak(BatchNormNN):
    """Every weight has a shadow variable, so `ema.variables_to_restore()` finds all its keys.

    That mapping fills the weights from their shadows: right for evaluation, wrong for resuming.
    """

    def minimise(self, optimizer: Any, loss: Any, global_step: Any) -> Any:
        """Return the train op, followed by the update of the weights' shadows."""
        train_op = super().minimise(optimizer, loss, global_step)
        self.polyak = self.new_ema()
        with tf.control_dependencies([train_op]):
            return self.polyak.apply(tf1.trainable_variables())

    def ema(self) -> Any:
        """Return the EMA over the weights."""
        return self.polyak
