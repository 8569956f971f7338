"""Studies: training curves of several variants, side by side. `ckptcheck.study` runs one.

`catalogue` defines what each study asks and compares.
"""
