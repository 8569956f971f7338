"""Reports: the verdict on each case, and every way to show it."""
