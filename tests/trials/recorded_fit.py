"""A script with a Keras `fit` that records itself: `FOLDER CHECKPOINT [resume]`."""

import sys

import keras

import ckptcheck

folder, checkpoint = sys.argv[1:3]
x = keras.random.normal((32, 4), seed=1)
data = {"x": x, "y": x[:, :1], "batch_size": 8, "epochs": 3, "shuffle": False}
layers = [keras.layers.Dropout(0.5), keras.layers.Dense(1)]
model, epoch = keras.Sequential([keras.Input((4,)), *layers]), 0
model.compile("sgd", "mse")
saving = [keras.callbacks.ModelCheckpoint(checkpoint)]
if "resume" in sys.argv:
    model, epoch, saving = keras.models.load_model(checkpoint.format(epoch=1)), 1, []
with ckptcheck.record(folder, state=[model]) as run:
    model.fit(**data, initial_epoch=epoch, callbacks=[*saving, run.callback()])
