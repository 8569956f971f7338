"""Crash states: what a process killed in the middle of a save leaves behind."""
