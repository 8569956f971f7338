"""The seeds of control and resumed run."""

# A resumed process starts from other initial values: a restore that does nothing cannot look like one that works. Its seed is
# the control's and this. What else a script seeds, it seeds the same when it is started again: `seed % POISON` is that seed.
POISON = 1_000_003
