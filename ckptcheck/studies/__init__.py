"""The studies: training curves side by side. What each asks and compares is in `catalogue`; `ckptcheck.study` runs them."""
