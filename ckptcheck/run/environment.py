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
        **{package: version_of(package) for package in packages},
        **{switch: os.environ.get(switch, "unset") for switch in switches},
    }


def mismatches(control: Mapping[str, str], resumed: Mapping[str, str]) -> list[str]:
    """Say what differs between two fingerprints, one sentence part each."""
    return [
        f"{name} is {control.get(name, 'unknown')} in the control and {resumed.get(name, 'unknown')} in the resumed run"
        for name in sorted({*control, *resumed})
        if control.get(name) != resumed.get(name)
    ]


def version_of(package: str) -> str:
    """Return the installed version of a package, or `absent`."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
