"""Start the training worker as a subprocess, wait for it and write a short summary."""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

WORKER = Path(__file__).resolve().with_name("worker_train.py")


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--noise", type=float, default=0.3, help="scale of the augmentation noise")
    parser.add_argument(
        "--reseed", action="store_true", help="seed the augmentation at each start of the worker"
    )
    return parser.parse_args()


def main():
    args = parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        str(WORKER),
        "--out",
        str(args.out),
        "--epochs",
        str(args.epochs),
        "--seed",
        str(args.seed),
        "--noise",
        str(args.noise),
    ]
    if args.reseed:
        command.append("--reseed")

    print("launching:", " ".join(command), flush=True)
    started = time.time()
    process = subprocess.Popen(command)
    try:
        code = process.wait()
    except KeyboardInterrupt:
        process.terminate()
        code = process.wait()

    summary = {"exit_code": code, "seconds": round(time.time() - started, 2)}
    result = args.out / "result.json"
    if code == 0 and result.exists():
        summary.update(json.loads(result.read_text()))
    (args.out / "summary.json").write_text(json.dumps(summary, indent=2))
    print("summary:", summary)
    return code


if __name__ == "__main__":
    sys.exit(main())
