"""How a process that uses TensorFlow is observed: what is called around its steps and saves."""
