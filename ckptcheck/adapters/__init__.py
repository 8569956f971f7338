"""Thin edges to a framework: each turns its objects into what `ckptcheck.job` asks for."""
