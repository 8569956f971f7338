"""The observer: what watches a command from inside its processes, and records the one that trains.

`site/sitecustomize.py` is first on the path of each process of the command. It installs import
hooks alone; an adapter puts the edge to its framework in place once the program imports it.
"""
