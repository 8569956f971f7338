"""A network of Keras that trains an epoch at a time, and its state as arrays by name."""

import keras
import numpy as np


def network():
    """Return a new network; its weights are different each time."""
    model = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1)]
    )
    model.compile("adam", "mse", jit_compile=False, run_eagerly=True)
    model.optimizer.build(model.trainable_variables)
    return model


def data():
    """Return inputs and targets."""
    inputs = np.random.default_rng().normal(size=(16, 8)).astype("float32")
    return inputs, inputs[:, :1]


def train(model):
    """Make a step."""
    model.train_on_batch(*data())


def state_of(model):
    """Return weights and optimizer state as arrays by number; the iterations are the step."""
    variables = [*model.weights, *model.optimizer.variables]
    return {str(number): each.numpy() for number, each in enumerate(variables)}


def train_and_save(save):
    """Return a function that trains in a folder, and saves after each of two steps."""

    def run(folder, saved):
        model = network()
        for _ in range(2):
            train(model)
            save(model, folder)
            saved(state_of(model))

    return run
