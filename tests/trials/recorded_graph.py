"""A script with a TensorFlow 1 graph that records itself: `FOLDER CHECKPOINT [resume]`."""

import sys

import numpy as np
import tensorflow as tf

import ckptcheck

folder, checkpoint = sys.argv[1:3]
tf1 = tf.compat.v1
tf1.disable_eager_execution()
x = tf1.placeholder(tf.float32, [None, 4])
weights = tf1.get_variable("w1", [4, 3], initializer=tf1.ones_initializer())
mean = tf1.get_variable("bn/moving_mean", [3], initializer=tf1.zeros_initializer(), trainable=False)
hidden = x @ weights
loss = tf.reduce_mean((hidden - 2) ** 2)
step = tf1.train.create_global_step()
trained = tf1.train.AdamOptimizer(0.1).minimize(loss, step)
moved = mean.assign(0.9 * mean + 0.1 * tf.reduce_mean(hidden, 0))
with tf1.control_dependencies([trained, moved]):
    train_op = tf1.train.ExponentialMovingAverage(0.9).apply([weights])
saver = tf1.train.Saver([weights, step])

with tf1.Session() as session:
    session.run(tf1.global_variables_initializer())
    with ckptcheck.record(folder, state=tf1.global_variables()) as run:
        if "resume" in sys.argv:
            saver.restore(session, checkpoint)
            run.boundary(session.run(step))
        for index in range(session.run(step), 12):
            rows = np.random.default_rng(index).normal(size=(5, 4))
            value, _ = session.run([loss, train_op], {x: rows})
            run.step(value, [rows], 0.1)
            if index + 1 == 6:
                saver.save(session, checkpoint)
                run.boundary(6)
