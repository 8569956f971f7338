"""The command line: parse, call, print. A file a door."""

from ckptcheck.cli.app import main as main
