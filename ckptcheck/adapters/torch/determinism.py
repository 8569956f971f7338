"""What decides the last bits of PyTorch's results, and what makes them the same in each run."""

import os
from collections.abc import Mapping

import torch

# With any other value, cuBLAS may sum in another order where several streams run. See
# https://docs.nvidia.com/cuda/cublas/#results-reproducibility
_WORKSPACE = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def is_deterministic() -> bool:
    """Return whether `torch.use_deterministic_algorithms(True)` was called."""
    return bool(torch.are_deterministic_algorithms_enabled())


def numerics() -> Mapping[str, str]:
    """Return the devices, the threads and the switches of this process that decide results."""
    return {
        "torch device": _device(),
        "torch threads": str(torch.get_num_threads()),
        "torch cudnn": "deterministic" if torch.backends.cudnn.deterministic else "free",
        "torch cudnn.benchmark": "on" if torch.backends.cudnn.benchmark else "off",
        "torch TF32": "on" if torch.backends.cuda.matmul.allow_tf32 else "off",
    }


def apply(setting: str) -> None:
    """Put one of the settings of `ckptcheck.adapters.torch.framework` in place.

    Args:
        setting: the line of a program.
    """
    if "cudnn" in setting:
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False
    else:
        os.environ.setdefault(*_WORKSPACE)
        torch.use_deterministic_algorithms(True)


def _device() -> str:
    # To ask whether there is a device may initialise it.
    if not torch.cuda.is_initialized():
        return "cpu"
    return ", ".join(
        torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())
    )
