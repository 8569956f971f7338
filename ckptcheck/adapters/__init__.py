"""Frameworks: each a folder whose `framework.py` declares it, and the doors that jobs of one's own come in by.

`ckptcheck.adapters.tf1`, `ckptcheck.adapters.tf2` and `ckptcheck.adapters.keras` hold what a job is made from.
"""
