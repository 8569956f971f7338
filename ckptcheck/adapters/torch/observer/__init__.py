"""How a process that uses PyTorch is observed: what is called around its steps and saves."""
