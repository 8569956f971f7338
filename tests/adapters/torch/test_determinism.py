"""What decides the last bits of PyTorch's results, and what makes them the same in each run."""

import os
from collections.abc import Iterator

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is an extra")

from ckptcheck.adapters.torch.determinism import apply, is_deterministic, numerics  # noqa: E402
from ckptcheck.adapters.torch.framework import FRAMEWORK  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture(autouse=True)
def put_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(os.environ, "CUBLAS_WORKSPACE_CONFIG", ":16:8")
    before = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = before


@pytest.mark.parametrize("setting", FRAMEWORK.settings)
def test_a_setting_does_what_its_line_does(setting: str) -> None:
    apply(setting)
    is_set = setting == "torch.use_deterministic_algorithms(True)"
    assert is_deterministic() == is_set
    assert (numerics()["torch cudnn"] == "deterministic") == (not is_set)


def test_numerics_name_the_device_and_the_threads() -> None:
    found = numerics()
    assert found["torch device"] == "cpu" or torch.cuda.is_available()
    assert found["torch threads"] == str(torch.get_num_threads())
