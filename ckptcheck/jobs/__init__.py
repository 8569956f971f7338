"""The jobs that ship with the tool: a registry of them, their options and data, the article's networks, and recipes."""
