"""Every family of Keras' layers."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tests.clean.base import BATCH, STEPS, WHOLE, Fit, K, Random, X

COUNT = BATCH * STEPS
_DRAW = np.random.default_rng(1)
IMAGES = _DRAW.normal(size=(COUNT, 6, 6, 2)).astype("float32")
SEQUENCES = _DRAW.normal(size=(COUNT, 5, 3)).astype("float32")
VIDEOS = _DRAW.normal(size=(COUNT, 3, 4, 4, 1)).astype("float32")
TOKENS = _DRAW.integers(0, 10, size=(COUNT, 6)).astype("int32")
WORDS = np.array(["a red fox", "a dog", "the red dog", ""] * (COUNT // 4)).reshape(COUNT, 1)


class _OnImages(Fit):
    def inputs(self) -> Any:
        return IMAGES

    def layers(self) -> list[Any]:
        return [*self.inner(), K.Flatten(), K.Dense(1)]

    def inner(self) -> list[Any]:
        raise NotImplementedError


class _OnSequences(_OnImages):
    def inputs(self) -> Any:
        return SEQUENCES


class _RandomImages(Random, _OnImages):
    pass


# --- Dense and normalization ---


class DenseKinds(Fit):
    def layers(self) -> list[Any]:
        return [
            K.EinsumDense("ab,bc->ac", 4),
            K.PReLU(),
            K.ActivityRegularization(0.01),
            K.Dense(1),
        ]


class Regularized(Fit):
    def layers(self) -> list[Any]:
        hidden = K.Dense(3, kernel_regularizer="l2", bias_constraint="non_neg")
        return [hidden, K.LeakyReLU(), K.Dense(1)]


class BatchNorm(Fit):
    restores = WHOLE

    def layers(self) -> list[Any]:
        return [K.Dense(4), K.BatchNormalization(momentum=0.9), K.ReLU(), K.Dense(1)]


class BatchNormPlain(Fit):
    """Without scale and center, so it has moving statistics alone."""

    def layers(self) -> list[Any]:
        norm = K.BatchNormalization(scale=False, center=False, momentum=0.5)
        return [norm, K.Dense(1)]


class BatchNormFrozen(Fit):
    """Moving statistics that training must not move, because the layer is frozen."""

    def layers(self) -> list[Any]:
        return [K.Dense(4), K.BatchNormalization(trainable=False), K.Dense(1)]


class LayerNorm(Fit):
    def layers(self) -> list[Any]:
        return [K.LayerNormalization(), K.Dense(4), K.RMSNormalization(), K.Dense(1)]


class GroupNorm(_OnImages):
    def inner(self) -> list[Any]:
        return [K.Conv2D(4, 3), K.GroupNormalization(2), K.UnitNormalization()]


class SpectralNorm(_OnImages):
    def inner(self) -> list[Any]:
        return [K.SpectralNormalization(K.Conv2D(3, 3)), K.SpectralNormalization(K.Dense(2))]


class Normalized(Fit):
    """Adapted before training, with statistics that the files hold."""

    def layers(self) -> list[Any]:
        norm = K.Normalization()
        norm.adapt(X)
        return [norm, K.Dense(3, "tanh"), K.Dense(1)]


class Frozen(Fit):
    def layers(self) -> list[Any]:
        return [K.Dense(3, "tanh", trainable=False), K.Dense(1)]


# --- Convolutions and pooling ---


class Convolutions(_OnImages):
    def inner(self) -> list[Any]:
        return [K.Conv2D(3, 3, padding="same"), K.DepthwiseConv2D(3), K.Conv2DTranspose(2, 3)]


class Separable(_OnImages):
    def inner(self) -> list[Any]:
        return [K.SeparableConv2D(3, 3), K.MaxPooling2D(), K.GlobalAveragePooling2D()]


class ConvolutionsOverTime(_OnSequences):
    def inner(self) -> list[Any]:
        convolutions = [K.Conv1D(3, 2), K.SeparableConv1D(3, 2), K.Conv1DTranspose(2, 2)]
        return [*convolutions, K.AveragePooling1D(2)]


class Volumes(_OnImages):
    def inputs(self) -> Any:
        return VIDEOS

    def inner(self) -> list[Any]:
        return [K.Conv3D(2, 2), K.UpSampling3D(2), K.MaxPooling3D(2)]


# --- Recurrent layers ---


class LSTM(_OnSequences):
    def inner(self) -> list[Any]:
        return [K.LSTM(3, return_sequences=True), K.LSTM(2)]


class GRU(_OnSequences):
    def inner(self) -> list[Any]:
        return [K.GRU(3, reset_after=False, unroll=True), K.RepeatVector(2), K.SimpleRNN(2)]


class Cells(_OnSequences):
    # Not `checkpoint`: TensorFlow does not track the cells in a list of Keras'.
    restores = ("keras", "backup", "model-checkpoint")

    def inner(self) -> list[Any]:
        return [K.RNN([K.LSTMCell(3), K.GRUCell(2)])]


class Stateful(_OnSequences):
    """The state is carried from batch to batch and over the epochs; no file of Keras' holds it."""

    restores: Sequence[str] = ("checkpoint",)

    def network(self) -> Any:
        inputs = keras.Input(batch_shape=(BATCH, *SEQUENCES.shape[1:]))
        return keras.Sequential([inputs, K.LSTM(3, stateful=True), K.Dense(1)])


class StatefulByEpoch(Stateful):
    """The state is carried from batch to batch, and each epoch begins without one."""

    # Not `keras`: between two epochs the state is empty, so no run shows whether it is restored.
    restores = ("checkpoint",)

    def callbacks(self) -> list[Any]:
        def begin(epoch: int, logs: Any) -> None:
            self.live.layers[0].reset_state()

        return [keras.callbacks.LambdaCallback(on_epoch_begin=begin)]


class BidirectionalGRU(_OnSequences):
    def layers(self) -> list[Any]:
        return [K.Bidirectional(K.GRU(4)), K.Dense(1)]


class BidirectionalLSTM(_OnSequences):
    def inner(self) -> list[Any]:
        first = K.Bidirectional(K.LSTM(3, return_sequences=True), merge_mode="sum")
        return [first, K.Bidirectional(K.LSTM(2))]


class BidirectionalBoth(_OnSequences):
    """Two layers, each with its own weights."""

    def inner(self) -> list[Any]:
        backward = K.SimpleRNN(2, go_backwards=True)
        return [K.Bidirectional(K.GRU(2), backward_layer=backward)]


class BidirectionalCells(_OnSequences):
    def inner(self) -> list[Any]:
        return [K.Bidirectional(K.RNN(K.GRUCell(3)))]


class BidirectionalReshaped(Fit):
    def layers(self) -> list[Any]:
        return [K.Reshape((2, 3)), K.Bidirectional(K.GRU(3)), K.Dense(1)]


class BidirectionalUnbuilt(_OnSequences):
    """No input shape: the first batch builds the layers."""

    restores = ("keras", "checkpoint")

    def network(self) -> Any:
        return keras.Sequential([K.Bidirectional(K.SimpleRNN(3)), K.Dense(1)])


class ConvLSTM(_OnImages):
    def inputs(self) -> Any:
        return VIDEOS

    def inner(self) -> list[Any]:
        return [K.ConvLSTM2D(2, 2)]


class OverTime(_OnSequences):
    def inner(self) -> list[Any]:
        return [K.Masking(), K.TimeDistributed(K.Dense(2)), K.LSTM(2)]


# --- Attention ---


class SelfAttention(Fit):
    def network(self) -> Any:
        inputs = keras.Input(SEQUENCES.shape[1:])
        seen = K.LayerNormalization()(inputs + K.MultiHeadAttention(2, 3)(inputs, inputs))
        return keras.Model(inputs, K.Dense(1)(K.Flatten()(seen)))

    def inputs(self) -> Any:
        return SEQUENCES


class AttentionKinds(SelfAttention):
    def network(self) -> Any:
        inputs = keras.Input(SEQUENCES.shape[1:])
        one = K.Attention(use_scale=True)([inputs, inputs])
        two = K.AdditiveAttention()([inputs, inputs])
        three = K.GroupQueryAttention(3, 2, 1)(inputs, inputs)
        return keras.Model(inputs, K.Dense(1)(K.Flatten()(K.Concatenate()([one, two, three]))))


# --- Text and categories ---


class Embedded(_OnImages):
    def inputs(self) -> Any:
        return TOKENS

    def inner(self) -> list[Any]:
        return [K.Embedding(10, 3, mask_zero=True), K.LSTM(2)]


class Words(_OnImages):
    def inputs(self) -> Any:
        return WORDS

    def network(self) -> Any:
        words = K.TextVectorization(output_sequence_length=3)
        words.adapt(WORDS[:, 0])
        inner = [words, K.Embedding(8, 3), K.Flatten(), K.Dense(1)]
        return keras.Sequential([keras.Input((1,), dtype="string"), *inner])


class WordCounts(Words):
    """Counts words, weighted by how rare they are."""

    def network(self) -> Any:
        words = K.TextVectorization(output_mode="tf_idf")
        words.adapt(WORDS[:, 0])
        return keras.Sequential([keras.Input((1,), dtype="string"), words, K.Dense(1)])


class Lookups(Words):
    def network(self) -> Any:
        lookup = K.StringLookup(vocabulary=["a dog", "the red dog"], output_mode="one_hot")
        inner = [lookup, K.Dense(2), K.Dense(1)]
        return keras.Sequential([keras.Input((1,), dtype="string"), *inner])


class Categories(Fit):
    def inputs(self) -> Any:
        return TOKENS

    def network(self) -> Any:
        inputs = keras.Input((6,), dtype="int32")
        one = K.IntegerLookup(vocabulary=[1, 2, 3], output_mode="multi_hot")(inputs)
        two = K.CategoryEncoding(10, "multi_hot")(inputs)
        three = K.Embedding(5, 2)(K.Hashing(5)(inputs))
        joined = K.Concatenate()([one, two, K.Flatten()(three)])
        return keras.Model(inputs, K.Dense(1)(joined))


class Discretized(Fit):
    def layers(self) -> list[Any]:
        bins = K.Discretization(num_bins=4, output_mode="multi_hot")
        bins.adapt(X)
        return [bins, K.Dense(1)]


# --- Layers that draw random numbers ---


class Dropout(Random):
    def layers(self) -> list[Any]:
        return [K.Dense(4), K.Dropout(0.3), K.GaussianNoise(0.1), K.AlphaDropout(0.1), K.Dense(1)]


class DropoutOfZero(Fit):
    """Draws nothing, so no restore can lose a draw."""

    def layers(self) -> list[Any]:
        return [K.Dense(4), K.Dropout(0.0), K.Dense(1)]


class RecurrentDropout(Random, _OnSequences):
    def inner(self) -> list[Any]:
        return [K.LSTM(3, dropout=0.2, recurrent_dropout=0.2)]


class Augmented(_RandomImages):
    def inner(self) -> list[Any]:
        return [K.RandomFlip(), K.RandomRotation(0.1), K.RandomZoom(0.1), K.Conv2D(2, 3)]


class AugmentedColours(_RandomImages):
    def inner(self) -> list[Any]:
        return [K.Rescaling(0.1), K.RandomContrast(0.2), K.RandomTranslation(0.1, 0.1)]


class CroppedCentre(_OnImages):
    def inner(self) -> list[Any]:
        return [K.CenterCrop(4, 4), K.Resizing(3, 3), K.ZeroPadding2D(1), K.Cropping2D(1)]


# --- Layers of one's own ---


@keras.saving.register_keras_serializable("ckptcheck-clean")
class _Largest(keras.Layer):
    """Divides by the largest value so far: state that Keras tracks."""

    def build(self, shape: Any) -> None:
        self.largest = self.add_weight(shape=(), initializer="ones", trainable=False, name="most")
        self.seen = self.add_weight(
            shape=(), initializer="zeros", dtype="int64", trainable=False, name="seen"
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training:
            self.largest.assign(keras.ops.maximum(self.largest, keras.ops.max(inputs)))
            self.seen.assign(self.seen + 1)
        return inputs / self.largest


class WithState(Fit):
    def layers(self) -> list[Any]:
        return [_Largest(), K.Dense(3, "tanh"), K.Dense(1)]


@keras.saving.register_keras_serializable("ckptcheck-clean")
class _Block(keras.Layer):
    """Layers inside a layer, in a list."""

    def __init__(self, units: int = 3, **named: Any) -> None:
        super().__init__(**named)
        self.units = units
        self.parts = [K.Dense(units), K.BatchNormalization()]

    def build(self, shape: Any) -> None:
        for part in self.parts:
            part.build(shape)
            shape = part.compute_output_shape(shape)

    def call(self, inputs: Any, training: bool = False) -> Any:
        for part in self.parts:
            inputs = part(inputs, training=training)
        return inputs

    def get_config(self) -> Any:
        return super().get_config() | {"units": self.units}


class Nested(Fit):
    # Not `checkpoint`: TensorFlow does not track layers in a list of Keras'.
    restores = ("keras", "backup", "model-checkpoint")

    def layers(self) -> list[Any]:
        return [_Block(), _Block(2), keras.Sequential([K.Dense(2, "tanh"), K.Dense(1)])]


@keras.saving.register_keras_serializable("ckptcheck-clean")
class _Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__(name="subclassed")  # no scope of TensorFlow's may begin with `_`
        self.hidden, self.last = K.Dense(3, "tanh"), K.Dense(1)

    def build(self, shape: Any) -> None:
        self.hidden.build(shape)
        self.last.build((None, 3))

    def call(self, inputs: Any) -> Any:
        return self.last(self.hidden(inputs))

    def get_config(self) -> Any:
        return {}


class Subclassed(Fit):
    def network(self) -> Any:
        model = _Subclassed()
        model.build((None, 6))
        return model


class Shared(Fit):
    """One layer, used twice."""

    def network(self) -> Any:
        inputs, square = keras.Input((6,)), K.Dense(6, "tanh")
        return keras.Model(inputs, K.Dense(1)(square(square(inputs))))


class Adding(Fit):
    def network(self) -> Any:
        inputs = keras.Input((6,))
        one, two = K.Dense(3)(inputs), K.Dense(3)(inputs)
        parts = [K.Add()([one, two]), K.Multiply()([one, two]), K.Dot(1)([one, two])]
        return keras.Model(inputs, K.Dense(1)(K.Concatenate()(parts)))


class Quantities(_OnImages):
    def inner(self) -> list[Any]:
        return [K.Permute((3, 1, 2)), K.Softmax(), K.SpatialDropout2D(0.0), K.ELU()]


@keras.saving.register_keras_serializable("ckptcheck-clean")
def _scaled(inputs: Any) -> Any:
    return inputs / 2


class Functional(Fit):
    def network(self) -> Any:
        inputs, scaled = keras.Input((6,)), K.Lambda(_scaled)
        return keras.Model(inputs, K.Dense(1)(scaled(inputs)))
