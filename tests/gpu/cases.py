"""What is verified on a device: networks, and what is known of each."""

import sys
from dataclasses import dataclass
from pathlib import Path

from ckptcheck import Report, verify
from ckptcheck.report.case import Case

SCRIPT = Path(__file__).with_name("networks.py")


@dataclass(frozen=True)
class Network:
    """A network, and what is to be found when its run is verified.

    Attributes:
        words: what the script is asked for.
        outcomes: the outcomes that are right: kernels and cards differ in what they repeat.
        causes: the causes that must be named, if it diverges.
    """

    words: str
    outcomes: tuple[str, ...] = ("recovered",)
    causes: tuple[str, ...] = ()


# What a card does not repeat is no fault of the restore: the outcome is then inconclusive.
_MAY_VARY = ("recovered", "inconclusive")
NETWORKS = {
    "small GPT, compiled": Network("gpt --compiled", _MAY_VARY),  # first: compiling takes longest
    "dense, batch norm, dropout": Network("dense"),
    "the same, generator of the device lost": Network(
        "dense --without cuda", ("diverged",), ("generators-restarted",)
    ),
    "convolution, batch norm": Network("convolution", _MAY_VARY),
    "the same, cuDNN deterministic": Network("convolution --deterministic"),
    "the same, float16 and gradient scaler": Network("convolution --autocast float16", _MAY_VARY),
    "the same, scale lost": Network(
        "convolution --autocast float16 --without scaler --deterministic",
        ("diverged",),
        ("loss-scale-lost",),
    ),
    "nn.LSTM with dropout": Network("lstm", ("diverged",), ("sealed-generator",)),
    "nn.Dropout between LSTMs": Network("lstm-own-dropout"),
    "bilinear upsampling": Network("upsampled", _MAY_VARY),
    "small GPT": Network("gpt"),
    "small GPT, bfloat16": Network("gpt --autocast bfloat16"),
}


def verified(network: Network, device: str = "cuda") -> Report:
    """Verify the run of a network on a device."""
    words = network.words.split()
    command = [sys.executable, str(SCRIPT), *words, "--device", device, "--out", "{run}"]
    return verify(command=command)


def is_right(network: Network, case: Case) -> bool:
    """Return whether a case came out as it should, with its causes named."""
    named = {each.cause for each in case.diagnoses}
    return case.outcome in network.outcomes and (
        case.outcome != "diverged" or set(network.causes) <= named
    )
