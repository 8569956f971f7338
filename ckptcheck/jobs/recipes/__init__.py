"""Recipes that people copy, one file for each way to train, and the report cards that they are on."""
