"""Tools for checkpoint files that need no framework, on the command line and in Python.

`inspect` lists the tensors of a checkpoint, `diff` compares two checkpoints, and `fsck` checks that
those in a folder can be restored. Each returns a value with its JSON; the module `…_text` renders
its text.
"""
