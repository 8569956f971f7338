"""What a process ran on. Two runs from different environments are not compared: a difference would prove nothing."""

import importlib.metadata
import os
import platform
from collections.abc import Mapping

from ckptcheck.cores import cores
from ckptcheck.job.frameworks import frameworks, has_deterministic_ops


def fingerprint() -> dict[str, str]:
    """Describe this process: Python, machine, cores, package versions, determinism, numeric switches."""
    packages = ["numpy", *(package for framework in frameworks() for package in framework.packages)]
    # Those of OpenMP and OpenBLAS can change the last bits of a result, as a framework's own can.
    own = [switch for framework in frameworks() for switch in framework.switches]
    switches = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", *own]
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": str(cores()),
        "op determinism": "on" if has_deterministic_ops() else "off",
        **{package: _version(package) for package in packages},
        **{switch: os.environ.get(switch, "unset") for switch in switches},
    }


def mismatches(control: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Return each difference of a run's fingerprint from its control's as a clause."""
    return [
        f"{name} is {other.get(name, 'unknown')} (control: {control.get(name, 'unknown')})"
        for name in sorted({*control, *other})
        if control.get(name) != other.get(name)
    ]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
