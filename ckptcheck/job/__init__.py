"""What a job is, for whoever writes one: its protocols, the words for its state, and when it saves."""

from ckptcheck.job.protocol import *
