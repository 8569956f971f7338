"""Diagnoses: what a comparison shows was lost, at which stage, and what to do about it."""
