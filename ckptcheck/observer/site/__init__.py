"""The folder that is first on the path of each process of a verified command."""
