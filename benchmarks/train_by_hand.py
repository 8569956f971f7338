"""The bare training loop that a study is held against: bn-nn on digits, seed 0, and the validation loss after each epoch.

    python benchmarks/train_by_hand.py EPOCHS

The graph is the shipped job's; the loop is what one writes: `session.run` of train op and loss, then of the update op.
Left out, in the script's favour: accuracies, and whatever is done with the losses.
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
