"""Make `digits.npz` from the copy of the UCI handwritten digits that scikit-learn ships.

    pip install scikit-learn && python data/make_digits.py

Every run makes the same file, byte for byte.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

digits = load_digits()
np.savez_compressed(
    Path(__file__).with_name("digits.npz"),
    x=digits.images.astype(np.uint8),  # (1797, 8, 8), values 0 to 16
    y=digits.target.astype(np.uint8),  # (1797,), values 0 to 9
)
