"""The shipped jobs: their registry, options and data, the article's networks, and the recipes."""
