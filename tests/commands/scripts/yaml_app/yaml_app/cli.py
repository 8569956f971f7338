"""Command line of the application."""

import argparse
from pathlib import Path

import yaml

from yaml_app.trainer import Trainer


def main(argv=None):
    parser = argparse.ArgumentParser(prog="yaml-app")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)

    config = yaml.safe_load(args.config.read_text())
    args.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(config, args.out)
    trainer.fit()
    trainer.export()
    return 0
