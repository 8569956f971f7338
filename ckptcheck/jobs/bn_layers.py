"""`bn-layers`: the article's second batch norm, on `tf.layers.batch_normalization`."""

from typing import Any

import tensorflow as tf

from ckptcheck.adapters.tf1 import RESTORES_WITHOUT_EMA
from ckptcheck.jobs.article import ArticleJob
from ckptcheck.jobs.options import LayersOptions

tf1 = tf.compat.v1


class BatchNormLayers(ArticleJob[LayersOptions]):
    """Batch norm whose updates are control dependencies of the train op, from UPDATE_OPS.

    Needs tf-keras, and TF_USE_LEGACY_KERAS=1 in the environment before the first use of
    `tf.layers`.
    """

    restores = RESTORES_WITHOUT_EMA

    def normalise(self, net: Any, name: str, is_convolution: bool) -> Any:
        """Normalise over all axes but the last."""
        return tf1.layers.batch_normalization(
            net,
            momentum=self.options.decay,
            epsilon=self.options.epsilon,
            training=self.is_training,
            name=f"{name}/bn",
        )

    def minimise(self, optimizer: Any, loss: Any, global_step: Any) -> Any:
        """Return a train op that also updates the moving averages."""
        with tf.control_dependencies(tf1.get_collection(tf1.GraphKeys.UPDATE_OPS)):
            return optimizer.minimize(loss, global_step)
