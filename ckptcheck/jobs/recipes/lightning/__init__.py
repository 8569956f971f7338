"""Scripts with Lightning: each loses something when it resumes, and nothing with `--fixed`."""
