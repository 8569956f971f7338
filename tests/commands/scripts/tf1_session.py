"""TF1-style graph training of a small batch-normalised classifier with feed_dict and Saver."""

import argparse
import os

import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_eager_execution()

EPOCHS = 4
STEPS_PER_EPOCH, BATCH_SIZE = 8, 32
N_FEATURES, N_CLASSES = 10, 4


def load_data():
    rng = np.random.RandomState(42)
    centers = rng.normal(scale=1.5, size=(N_CLASSES, N_FEATURES))
    labels = rng.randint(N_CLASSES, size=STEPS_PER_EPOCH * BATCH_SIZE)
    features = centers[labels] + rng.normal(size=(len(labels), N_FEATURES))
    return features.astype(np.float32), labels.astype(np.int32)


def dense(x, units, name):
    with tf.variable_scope(name):
        w = tf.get_variable(
            "w", [x.shape[-1], units], initializer=tf.glorot_uniform_initializer(seed=42)
        )
        b = tf.get_variable("b", [units], initializer=tf.zeros_initializer())
        return tf.matmul(x, w) + b


def batch_norm(x, is_training, name, decay=0.9):
    size = x.shape[-1]
    with tf.variable_scope(name):
        gamma = tf.get_variable("gamma", [size], initializer=tf.ones_initializer())
        beta = tf.get_variable("beta", [size], initializer=tf.zeros_initializer())
        mov_mean = tf.get_variable("moving_mean", [size], trainable=False,
                                   initializer=tf.zeros_initializer())
        mov_var = tf.get_variable("moving_variance", [size], trainable=False,
                                  initializer=tf.ones_initializer())
        mean, var = tf.nn.moments(x, axes=[0])
        for moving, value in ((mov_mean, mean), (mov_var, var)):
            update = tf.assign_sub(moving, (1.0 - decay) * (moving - value))
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
        mean, var = tf.cond(is_training, lambda: (mean, var), lambda: (mov_mean + 0, mov_var + 0))
        return tf.nn.batch_normalization(x, mean, var, beta, gamma, 1e-3)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--trainable-only", action="store_true",
                        help="save the trainable variables and the step only")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)

    tf.set_random_seed(42)
    x = tf.placeholder(tf.float32, [None, N_FEATURES], "x")
    y = tf.placeholder(tf.int32, [None], "y")
    is_training = tf.placeholder_with_default(False, [], "is_training")
    hidden = tf.nn.relu(batch_norm(dense(x, 16, "fc1"), is_training, "bn1"))
    logits = dense(hidden, N_CLASSES, "fc2")
    loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
    correct = tf.equal(tf.argmax(logits, 1, output_type=tf.int32), y)
    accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))
    global_step = tf.train.get_or_create_global_step()
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        train_op = tf.train.AdamOptimizer(0.01).minimize(loss, global_step=global_step)

    to_save = tf.trainable_variables() + [global_step] if args.trainable_only else None
    saver = tf.train.Saver(to_save, max_to_keep=5)
    features, labels = load_data()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        latest = tf.train.latest_checkpoint(args.out)
        if latest:
            saver.restore(sess, latest)
        for epoch in range(sess.run(global_step) // STEPS_PER_EPOCH, EPOCHS):
            order = np.random.RandomState(1000 + epoch).permutation(len(labels))
            for rows in np.split(order, STEPS_PER_EPOCH):
                feed = {x: features[rows], y: labels[rows], is_training: True}
                sess.run(train_op, feed)
            saver.save(sess, os.path.join(args.out, "model.ckpt"), global_step=global_step)
            val_loss, val_acc = sess.run([loss, accuracy], {x: features, y: labels})
            print(f"epoch {epoch + 1}: loss {val_loss:.4f}, accuracy {val_acc:.3f}")


if __name__ == "__main__":
    main()
