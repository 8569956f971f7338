"""Recipes to copy, a file for each way to train, and the suites that list them."""
