"""What a process ran on. Two runs from different environments are not compared: a difference would prove nothing."""

import importlib.metadata
import os
import platform
import sys
from collections.abc import Mapping

from ckptcheck.cores import cores

# Read by TensorFlow, oneDNN, OpenMP or OpenBLAS; each can change the last bits of a result.
NUMERIC_SWITCHES = (
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_DETERMINISTIC_OPS",
    "TF_USE_LEGACY_KERAS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "XLA_FLAGS",
)
PACKAGES = ("numpy", "tensorflow", "keras", "tf-keras")


def fingerprint() -> dict[str, str]:
    """Describe this process: Python, machine, cores, package versions, determinism, numeric switches."""
    found = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": str(cores()),
        "op determinism": _op_determinism(),
    }
    found |= {name: _version(name) for name in PACKAGES}
    found |= {name: os.environ.get(name, "unset") for name in NUMERIC_SWITCHES}
    return found


def mismatches(control: Mapping[str, str], resumed: Mapping[str, str]) -> list[str]:
    """Say what differs between two fingerprints, one sentence part each."""
    return [
        f"{name} is {control.get(name, 'unknown')} in the control and {resumed.get(name, 'unknown')} in the resumed run"
        for name in sorted({*control, *resumed})
        if control.get(name) != resumed.get(name)
    ]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _op_determinism() -> str:
    # TensorFlow has no public question for this, only the switch itself. Only asked where the job loaded TensorFlow.
    config = sys.modules.get("tensorflow.python.framework.config")
    return "off" if config is None or not config.is_op_determinism_enabled() else "on"
