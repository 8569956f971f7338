"""Train the studies of the README and notebooks/study.ipynb, and copy their results to data/study.

    python data/make_study.py [--out DIR]

Takes about 15 minutes on two cores. Runs kept in DIR (default: ckptcheck-study) are not trained
again.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image

KEPT = {
    "convergence": ("bands", "runs", "humps"),
    "bn-apis": ("bands", "runs", "humps"),
    "bn-ablation": ("runs", "humps"),
}
SEEDS = "12"
COLOURS = 128  # enough for a figure, at a third of its size

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
)
parser.add_argument("--out", type=Path, default=Path("ckptcheck-study"))
out = parser.parse_args().out
target = Path(__file__).parent / "study"
target.mkdir(exist_ok=True)
for study, tables in KEPT.items():
    subprocess.run(
        [sys.executable, "-m", "ckptcheck", "study", study, "--seeds", SEEDS, "--out", out],
        check=True,
    )
    for table in tables:
        shutil.copy(out / study / f"{table}.csv", target / f"{study}-{table}.csv")
    with Image.open(out / study / "curves.png") as figure:
        figure.convert("RGB").quantize(COLOURS).save(target / f"{study}.png", optimize=True)
