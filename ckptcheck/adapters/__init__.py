"""Framework adapters, and the base classes for a job of your own.

Import the base class from `ckptcheck.adapters.keras`, `ckptcheck.adapters.tf2`,
`ckptcheck.adapters.tf1` or `ckptcheck.adapters.torch`. Each framework is a folder whose
`framework.py` declares it.
"""
