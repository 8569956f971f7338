"""The adapter of PyTorch. `python -m tests.commands.torch` runs these tests, too."""
