"""Diagnosis: what a comparison shows, why, and how to fix it."""
