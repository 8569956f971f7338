"""V1 checkpoints, which `tf.train.Saver(write_version=tf.train.SaverDef.V1)` writes."""
