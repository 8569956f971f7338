"""The article's small AlexNet-like network. The jobs beside this file add its batch norm."""

import zlib
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np
import tensorflow as tf

from ckptcheck.adapters.tf1 import Feed, GraphJob, Network
from ckptcheck.jobs import datasets
from ckptcheck.jobs.options import Options

tf1 = tf.compat.v1

# Takes a layer's output, the layer's name, and whether the layer is a convolution.
Normalise = Callable[[Any, str, bool], Any]
AnyOptions = TypeVar("AnyOptions", bound=Options)


def convolution(images: Any, channels: int, name: str, bias: bool) -> Any:
    """Add a 3×3 convolution, stride 1, SAME padding. (n, h, w, c) → (n, h, w, channels)."""
    with tf1.variable_scope(name):
        kernel = tf1.get_variable(
            "kernel", [3, 3, images.shape[-1], channels], initializer=_glorot(name)
        )
        return _biased(tf.nn.conv2d(images, kernel, strides=1, padding="SAME"), bias)


def dense(rows: Any, units: int, name: str, bias: bool) -> Any:
    """Add a fully connected layer. (n, k) → (n, units)."""
    with tf1.variable_scope(name):
        kernel = tf1.get_variable("kernel", [rows.shape[-1], units], initializer=_glorot(name))
        return _biased(tf.matmul(rows, kernel), bias)


def _glorot(name: str) -> Any:
    # One seed a layer. Otherwise the seed would depend on the number of operations created before,
    # and two jobs with the same seed would start from different weights.
    return tf1.glorot_uniform_initializer(seed=zlib.crc32(name.encode()))


def _biased(net: Any, bias: bool) -> Any:
    if not bias:
        return net
    return net + tf1.get_variable("bias", [net.shape[-1]], initializer=tf1.zeros_initializer())


def logits(images: Any, classes: int, normalise: Normalise | None) -> Any:
    """Add three convolutions and two dense layers. (n, h, w, c) → (n, classes).

    All layers but the last are normalised. A normalised layer has no bias: batch norm subtracts it
    again, and adds its own beta.
    """
    bias = normalise is None
    normalised = normalise or (lambda net, name, is_convolution: net)
    net = images
    for index, channels in enumerate((8, 16, 32), start=1):
        name = f"conv{index}"
        net = tf.nn.relu(normalised(convolution(net, channels, name, bias), name, True))
        if index > 1:
            net = tf.nn.max_pool2d(net, ksize=2, strides=2, padding="SAME")
    net = tf.reshape(net, [-1, int(np.prod(net.shape[1:]))])
    net = tf.nn.relu(normalised(dense(net, 64, "dense1", bias), "dense1", False))
    return dense(net, classes, "dense2", bias=True)


class ArticleJob(GraphJob, Generic[AnyOptions]):
    """The article's network, fed with images.

    A subclass defines how a layer is normalised and what a training step runs.
    """

    def __init__(self, options: AnyOptions) -> None:
        self.options = options

    @cached_property
    def data(self) -> datasets.Dataset:
        """The images, read on first use."""
        return datasets.load(self.options.dataset)

    @property
    def steps_per_epoch(self) -> int:  # type: ignore[override]  # a Job needs it read-only
        """Number of whole batches in the training part of the dataset."""
        return self.data.steps_per_epoch(self.options.batch_size)

    # The jobs with batch norm define a method of this name.
    normalise: Normalise | None = None

    def minimise(self, optimizer: Any, loss: Any, global_step: Any) -> Any:
        """Return the train op."""
        return optimizer.minimize(loss, global_step)

    def network(self) -> Network:
        """Create placeholders, network, loss and train op. A subclass may add operations."""
        # TensorFlow 1's tf.cond needs no functions, and halves the time of a step.
        tf1.disable_control_flow_v2()
        self.images = tf1.placeholder(
            tf.float32, [None, *self.data.train_images.shape[1:]], "images"
        )
        self.labels = tf1.placeholder(tf.int64, [None], "labels")
        self.is_training = tf1.placeholder(tf.bool, [], "is_training")
        self.training_step = tf1.placeholder(tf.int64, [], "training_step")
        scores = logits(self.images, self.data.classes, self.normalise)
        correct = tf.equal(tf.argmax(scores, 1), self.labels)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(self.labels, scores))
        global_step = tf1.train.create_global_step()
        rate = tf.constant(self.options.learning_rate, tf.float32, name="learning_rate")
        optimizer = tf1.train.AdamOptimizer(rate)
        return Network(
            loss=loss,
            train_op=self.minimise(optimizer, loss, global_step),
            global_step=global_step,
            optimizer=optimizer,
            learning_rate=rate,
            validation_loss=loss,
            accuracy=tf.reduce_mean(tf.cast(correct, tf.float32)),
        )

    def batch(self, step: int) -> Sequence[datasets.Array]:
        """Return images and labels of a step. They depend on seed and step alone."""
        return self.data.batch(step, self.options.batch_size, self.options.seed)

    def train_feed(self, batch: Sequence[datasets.Array], step: int) -> Feed:
        """Feed the batch in training mode."""
        return self._feed(batch, True, step)

    def update_feed(self, batch: Sequence[datasets.Array], step: int) -> Feed:
        """Feed the same batch with `is_training` False, as in the article."""
        return self._feed(batch, False, step)

    def validation_feed(self) -> Feed:
        """Feed the whole validation set with `is_training` False."""
        return self._feed((self.data.validation_images, self.data.validation_labels), False, 0)

    def _feed(self, batch: Sequence[datasets.Array], is_training: bool, step: int) -> Feed:
        images, labels = batch
        return {
            self.images: images,
            self.labels: labels,
            self.is_training: is_training,
            self.training_step: step,
        }
