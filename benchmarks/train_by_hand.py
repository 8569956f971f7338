"""The bare training loop to compare a study with: bn-nn on digits, seed 0.

    python benchmarks/train_by_hand.py EPOCHS

The graph is the shipped job's. The loop is what a user would write: `session.run` of train op and
loss, then of the update op; the validation loss after each epoch. Left out, in the script's
favour: accuracies, and any use of the losses.
"""

import gc
import json
import sys

import tensorflow  # noqa: F401

from ckptcheck.jobs.bn_nn import BatchNormNN
from ckptcheck.jobs.options import EmaOptions

gc.freeze()  # as the tool's processes do
job = BatchNormNN(EmaOptions())
job.build(0)
losses, validation = [], []
for epoch in range(int(sys.argv[1])):
    for step in range(epoch * job.steps_per_epoch, (epoch + 1) * job.steps_per_epoch):
        batch = job.batch(step)
        loss, _ = job.session.run([job.net.loss, job.net.train_op], job.train_feed(batch, step))
        job.session.run(job.net.update_op, job.update_feed(batch, step))
        losses.append(float(loss))
    validation.append(job.evaluate())
print(json.dumps(validation))
