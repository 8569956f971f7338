"""`python -m ckptcheck`."""

from ckptcheck.cli import main

main()
