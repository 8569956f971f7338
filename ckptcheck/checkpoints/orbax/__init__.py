"""Orbax: folders of arrays, which tensorstore reads, and of JSON."""
