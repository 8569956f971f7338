"""A command as a job: run it, run it again from a crash image, and record both."""
