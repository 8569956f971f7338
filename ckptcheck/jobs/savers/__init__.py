"""The savers that frameworks ship, each as people call it, and a fixed twin of each.

A file has a table `SAVERS`: by name, a function that trains and saves twice, and one that restores.
The first takes a folder and calls `saved(state)` after each save; the second returns the restored
state of a folder, or None if it finds no checkpoint. A state is weights, optimizer state and step,
as arrays by name. Only `ckptcheck.drills.savers.worker` loads these files, by name.
"""
