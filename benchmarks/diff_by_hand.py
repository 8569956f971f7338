"""The script that a user would write to compare two checkpoints with TensorFlow.

python benchmarks/diff_by_hand.py A B
"""

import sys

import numpy as np
import tensorflow as tf

a, b = (tf.train.load_checkpoint(each) for each in sys.argv[1:])
names = a.get_variable_to_shape_map()
assert names.keys() == b.get_variable_to_shape_map().keys()
different = [name for name in names if not np.array_equal(a.get_tensor(name), b.get_tensor(name))]
print(*different or ["same"])
