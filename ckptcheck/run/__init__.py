"""Runs: what one process does and records, and how processes are started."""
