"""Ways to feed and to run `fit`: data pipelines, losses and metrics, precision, own train steps."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.clean.base import BATCH, STEPS, WHOLE, Fit, K, Uncounted, X, Y

COUNT = BATCH * STEPS


# --- Data ---


class Arrays(Fit):
    """Arrays, shuffled by Keras: the order follows from the seed of the process."""

    def fit(self, model: Any, callbacks: Any, initial_epoch: int) -> None:
        data = {"validation_data": (X, Y), "batch_size": BATCH, "epochs": 4, "shuffle": False}
        model.fit(X, Y, callbacks=callbacks, initial_epoch=initial_epoch, **data)


class LastBatchSmaller(Fit):
    steps_per_epoch = 5

    def fit(self, model: Any, callbacks: Any, initial_epoch: int) -> None:
        data = {"validation_data": (X, Y), "batch_size": 7, "epochs": 4, "shuffle": False}
        model.fit(X, Y, callbacks=callbacks, initial_epoch=initial_epoch, **data)


class Mapped(Fit):
    """TensorFlow compiles the function to a temporary file, and reads that back."""

    def data(self) -> Any:
        return super().data().map(lambda x, y: (x * 2, y))


class MappedByBranches(Fit):
    def data(self) -> Any:
        def scale(x: Any, y: Any) -> Any:
            if tf.reduce_sum(x) > 0:
                x = x * 2
            for _ in tf.range(2):
                y = y + 0.5
            return x, y

        return super().data().map(scale, num_parallel_calls=2).prefetch(2)


class MappedInParallel(Fit):
    def data(self) -> Any:
        pairs = self.dataset().map(lambda x, y: (x + 1, y), num_parallel_calls=tf.data.AUTOTUNE)
        return pairs.batch(BATCH).prefetch(tf.data.AUTOTUNE)


class MappedByPython(Fit):
    def data(self) -> Any:
        def scaled(x: Any, y: Any) -> Any:
            halved = tf.numpy_function(lambda value: value / 2, [x], tf.float32)
            return tf.ensure_shape(halved, (6,)), y

        return self.dataset().map(scaled).batch(BATCH)


class Filtered(Fit):
    """Keras does not know how many batches there are."""

    def data(self) -> Any:
        doubled = self.dataset().concatenate(self.dataset())
        numbered = doubled.enumerate().filter(lambda number, pair: number % 2 == 0)
        return numbered.map(lambda number, pair: pair).batch(BATCH)


class Cached(Fit):
    def data(self) -> Any:
        return self.dataset().map(lambda x, y: (x * 3, y)).cache().batch(BATCH)


class CachedInFile(Fit):
    def data(self) -> Any:
        self.place = tempfile.mkdtemp()
        return self.dataset().cache(f"{self.place}/cache").batch(BATCH)


class ShuffledOnce(Fit):
    def data(self) -> Any:
        pairs = self.dataset().shuffle(COUNT, seed=3, reshuffle_each_iteration=False)
        return pairs.batch(BATCH)


class ShuffledByEpoch(Fit):
    """A new order each epoch, which follows from the number of the epoch."""

    # Not `backup`: its callback sets the epoch after the data are made.
    restores = ("keras", "checkpoint", "model-checkpoint")

    def fit(self, model: Any, callbacks: Any, initial_epoch: int) -> None:
        def shuffled(epoch: Any) -> Any:
            order = tf.random.experimental.stateless_shuffle(tf.range(COUNT), (epoch, 0))
            pairs = tf.gather(X, order), tf.gather(Y, order)
            return tf.data.Dataset.from_tensor_slices(pairs).batch(BATCH)

        epochs = tf.data.Dataset.range(initial_epoch, 4).flat_map(shuffled)
        model.fit(
            epochs,
            epochs=4,
            steps_per_epoch=STEPS,
            callbacks=callbacks,
            initial_epoch=initial_epoch,
            validation_data=(X, Y),
        )


class Interleaved(Fit):
    def data(self) -> Any:
        parts = tf.data.Dataset.range(4).interleave(
            lambda part: self.dataset().shard(4, part), cycle_length=2, num_parallel_calls=2
        )
        return parts.batch(BATCH)


class Repeated(Fit):
    """Without an end; `fit` is given the length of an epoch."""

    def data(self) -> Any:
        return super().data().repeat()

    def arguments(self) -> Mapping[str, Any]:
        return {"steps_per_epoch": STEPS}


class Windows(Fit):
    def data(self) -> Any:
        windows = self.dataset().window(2, shift=1, drop_remainder=True)
        pairs = windows.flat_map(lambda x, y: tf.data.Dataset.zip((x.batch(2), y.batch(2))))
        return pairs.unbatch().take(COUNT).batch(BATCH)


class FromGenerator(Fit):
    def data(self) -> Any:
        def examples() -> Iterator[Any]:
            yield from zip(X, Y, strict=True)

        signature = (tf.TensorSpec((6,)), tf.TensorSpec((1,)))
        return tf.data.Dataset.from_generator(examples, output_signature=signature).batch(BATCH)


class FromPython(Fit):
    """A generator of batches, which never ends."""

    def data(self) -> Any:
        while True:
            for start in range(0, COUNT, BATCH):
                yield X[start : start + BATCH], Y[start : start + BATCH]

    def arguments(self) -> Mapping[str, Any]:
        return {"steps_per_epoch": STEPS}


class _Batches(keras.utils.PyDataset):
    def __len__(self) -> int:
        return STEPS

    def __getitem__(self, index: int) -> Any:
        return X[index * BATCH :][:BATCH], Y[index * BATCH :][:BATCH]


class FromPyDataset(Fit):
    def fit(self, model: Any, callbacks: Any, initial_epoch: int) -> None:
        model.fit(
            _Batches(),
            epochs=4,
            shuffle=False,
            callbacks=callbacks,
            initial_epoch=initial_epoch,
            validation_data=_Batches(),
        )


class FromPyDatasetWithWorkers(Fit):
    def fit(self, model: Any, callbacks: Any, initial_epoch: int) -> None:
        model.fit(
            _Batches(workers=2, use_multiprocessing=False, max_queue_size=2),
            epochs=4,
            shuffle=False,
            callbacks=callbacks,
            initial_epoch=initial_epoch,
            validation_data=(X, Y),
        )


class FromFiles(Fit):
    """Written when the data are opened, and read back: such files are the process's own."""

    def dataset(self) -> Any:
        path = Path(tempfile.mkdtemp()) / "data.npz"
        np.savez(path, x=X, y=Y)
        with np.load(path) as file:
            return tf.data.Dataset.from_tensor_slices((file["x"], file["y"]))


class FromRecords(Fit):
    def dataset(self) -> Any:
        path = f"{tempfile.mkdtemp()}/data.tfrecord"
        with tf.io.TFRecordWriter(path) as file:
            for x, y in zip(X, Y, strict=True):
                file.write(tf.io.serialize_tensor(np.concatenate([x, y])).numpy())

        def parsed(record: Any) -> Any:
            row = tf.ensure_shape(tf.io.parse_tensor(record, tf.float32), (7,))
            return row[:6], row[6:]

        return tf.data.TFRecordDataset(path).map(parsed)


class RaggedBatches(Fit):
    def dataset(self) -> Any:
        lengths = [1 + number % 3 for number in range(COUNT)]
        words = tf.RaggedTensor.from_row_lengths(np.arange(sum(lengths)) % 7, lengths)
        return tf.data.Dataset.from_tensor_slices((words, Y))

    def network(self) -> Any:
        inputs = keras.Input((None,), dtype="int32", ragged=True)
        embedded = K.Embedding(7, 3)(inputs)
        return keras.Model(inputs, K.Dense(1)(K.GlobalAveragePooling1D()(embedded)))


class SparseBatches(Fit):
    def dataset(self) -> Any:
        sparse = tf.sparse.from_dense(np.where(X > 0, X, 0))
        return tf.data.Dataset.from_tensor_slices((sparse, Y))

    def network(self) -> Any:
        return keras.Sequential([keras.Input((6,), sparse=True), K.Dense(3), K.Dense(1)])


class NamedInputs(Fit):
    def dataset(self) -> Any:
        return tf.data.Dataset.from_tensor_slices(({"left": X[:, :3], "right": X[:, 3:]}, Y))

    def network(self) -> Any:
        inputs = {name: keras.Input((3,), name=name) for name in ("left", "right")}
        return keras.Model(inputs, K.Dense(1)(K.Concatenate()([*inputs.values()])))


# --- Losses and metrics ---


class Metrics(Fit):
    restores = WHOLE
    compiled = {"metrics": ["mae", "mse"], "weighted_metrics": ["msle"]}


class MetricObjects(Fit):
    def model(self) -> Any:
        model = self.network()
        metrics = [keras.metrics.RootMeanSquaredError(), keras.metrics.CosineSimilarity()]
        model.compile("adam", keras.losses.Huber(), metrics=metrics)
        return model


class Classes(Fit):
    def dataset(self) -> Any:
        return tf.data.Dataset.from_tensor_slices(
            (X, (X[:, 0] > 0).astype("int64") + (X[:, 1] > 1))
        )

    def layers(self) -> list[Any]:
        return [K.Dense(4, "relu"), K.Dense(3, "softmax")]

    compiled = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}


class ClassWeights(Classes):
    def arguments(self) -> Mapping[str, Any]:
        return {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5}}


class BinaryMetrics(Fit):
    """The area under the curve has states of its own, of many elements."""

    def dataset(self) -> Any:
        return tf.data.Dataset.from_tensor_slices((X, (X[:, :1] > 0).astype("float32")))

    def layers(self) -> list[Any]:
        return [K.Dense(1, "sigmoid")]

    def model(self) -> Any:
        model = self.network()
        metrics = [keras.metrics.AUC(num_thresholds=20), keras.metrics.F1Score(threshold=0.5)]
        model.compile("adam", "binary_crossentropy", metrics=metrics)
        return model


class SampleWeights(Fit):
    def dataset(self) -> Any:
        return tf.data.Dataset.from_tensor_slices((X, Y, np.abs(X[:, 3])))


class TwoOutputs(Fit):
    def dataset(self) -> Any:
        return tf.data.Dataset.from_tensor_slices((X, {"sum": Y, "sign": np.sign(Y)}))

    def network(self) -> Any:
        inputs = keras.Input((6,))
        hidden = K.Dense(3, "tanh")(inputs)
        return keras.Model(
            inputs, {name: K.Dense(1, name=name)(hidden) for name in ("sum", "sign")}
        )

    compiled = {
        "loss": {"sum": "mse", "sign": "mae"},
        "loss_weights": {"sum": 1.0, "sign": 0.5},
        "metrics": {"sum": ["mae"], "sign": ["mse"]},
    }


@keras.saving.register_keras_serializable("ckptcheck-clean")
def _largest_error(truth: Any, predicted: Any) -> Any:
    return keras.ops.max(keras.ops.abs(truth - predicted), axis=-1)


class OwnLoss(Fit):
    def model(self) -> Any:
        model = self.network()
        model.compile("adam", _largest_error, metrics=[_largest_error])
        return model


# --- How `fit` runs ---


class Eagerly(Fit):
    compiled = {"run_eagerly": True}


class Compiled(Fit):
    compiled = {"jit_compile": True}


class NotCompiled(Fit):
    compiled = {"jit_compile": False}


class SeveralStepsAtOnce(Fit):
    restores = WHOLE
    compiled = {"steps_per_execution": 2}


class SeveralStepsUneven(Fit):
    """Three steps at once, and four in an epoch."""

    compiled = {"steps_per_execution": 3, "metrics": ["mae"]}


class CountedByKeras(Uncounted):
    """Keras knows how many batches an epoch has."""

    restores = WHOLE


class CountedByTraining(Uncounted):
    """Keras does not know the length of an epoch before its end."""

    def data(self) -> Any:
        return super().data().filter(lambda x, y: True)


class CountedAtOnce(Uncounted):
    compiled = {"steps_per_execution": 4}


class CountedByArgument(Uncounted):
    def data(self) -> Any:
        return super().data().repeat()

    def arguments(self) -> Mapping[str, Any]:
        return {"steps_per_epoch": STEPS}


class CountedFromPython(Uncounted):
    """Data that can be read once: counting must leave them alone."""

    def data(self) -> Any:
        signature = (tf.TensorSpec((None, 6)), tf.TensorSpec((None, 1)))
        return tf.data.Dataset.from_generator(_batches, output_signature=signature)


def _batches() -> Iterator[Any]:
    for start in range(0, COUNT, BATCH):
        yield X[start : start + BATCH], Y[start : start + BATCH]


class _Float16(Fit):
    policy = "mixed_float16"

    def network(self) -> Any:
        keras.mixed_precision.set_global_policy(self.policy)
        return super().network()


class MixedFloat16(_Float16):
    restores = WHOLE


class MixedBfloat16(_Float16):
    policy = "mixed_bfloat16"


class AllBfloat16(_Float16):
    policy = "bfloat16"


class AllFloat64(_Float16):
    policy = "float64"


class ScheduledByCallback(Fit):
    def callbacks(self) -> list[Any]:
        return [keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 / (1 + epoch))]


class OtherCallbacks(Fit):
    def callbacks(self) -> list[Any]:
        place = Path(tempfile.mkdtemp())
        return [
            keras.callbacks.TerminateOnNaN(),
            keras.callbacks.CSVLogger(str(place / "log.csv"), append=True),
            keras.callbacks.ModelCheckpoint(str(place / "last.keras")),
        ]


@keras.saving.register_keras_serializable("ckptcheck-clean")
class _OwnStep(keras.Model):
    """Trains in its own way, and keeps a metric of its own."""

    def __init__(self) -> None:
        super().__init__(name="own")  # no scope of TensorFlow's may begin with `_`
        self.last, self.mean = K.Dense(1), keras.metrics.Mean(name="own")

    def build(self, shape: Any) -> None:
        self.last.build(shape)

    def call(self, inputs: Any) -> Any:
        return self.last(inputs)

    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(x, training=True) - y) ** 2)
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        self.mean.update_state(loss)
        return {"loss": self.mean.result()}

    def test_step(self, data: Any) -> Any:
        x, y = data
        self.mean.update_state(tf.reduce_mean((self(x) - y) ** 2))
        return {"loss": self.mean.result()}

    @property
    def metrics(self) -> Any:
        return [self.mean]

    def get_config(self) -> Any:
        return {}


class OwnTrainStep(Fit):
    def model(self) -> Any:
        model = _OwnStep()
        model.build((None, 6))
        model.compile("adam")
        return model


class ModelInModel(Fit):
    def layers(self) -> list[Any]:
        inner = keras.Sequential([keras.Input((6,)), K.Dense(4), K.BatchNormalization()])
        return [inner, K.Dense(1)]


class RestoredOverWeights(Fit):
    """The documented way with `load_weights`: build the optimizer first."""

    restores = ("weights-built",)

    def save(self, folder: Path, step: int) -> None:
        self.live.save_weights(folder / f"{step // STEPS}.weights.h5")

    def restore(self, folder: Path, restore: str) -> None:
        epochs = [int(path.name.partition(".")[0]) for path in folder.glob("*.weights.h5")]
        self.initial_epoch = max(epochs)
        self.live.optimizer.build(self.live.trainable_variables)
        self.live.load_weights(folder / f"{self.initial_epoch}.weights.h5")


class RestoredThroughACopy(RestoredOverWeights):
    """The restore writes a temporary file, and reads that."""

    def restore(self, folder: Path, restore: str) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            for path in folder.glob("*.weights.h5"):
                (Path(temporary) / path.name).write_bytes(path.read_bytes())
            super().restore(Path(temporary), restore)


class RestoredThroughNumPy(Fit):
    """Weights in a file of NumPy's, repacked into a temporary file before they are read."""

    restores = ("repacked",)

    def variables(self) -> list[Any]:
        self.live.optimizer.build(self.live.trainable_variables)
        return [*self.live.variables, *self.live.optimizer.variables]

    def save(self, folder: Path, step: int) -> None:
        values = [np.array(variable) for variable in self.variables()]
        np.savez(folder / f"{step // STEPS}.npz", *values)

    def restore(self, folder: Path, restore: str) -> None:
        self.initial_epoch = max(int(path.stem) for path in folder.glob("*.npz"))
        with np.load(folder / f"{self.initial_epoch}.npz") as file, tempfile.TemporaryFile() as own:
            np.savez(own, *(file[name] for name in file.files))
            own.seek(0)
            repacked = np.load(own)
            for variable, name in zip(self.variables(), file.files, strict=True):
                variable.assign(repacked[name])
