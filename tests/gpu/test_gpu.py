"""Jobs on a device are judged as they are: `python -m tests.gpu` prints them as a table."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is an extra")

from tests.gpu.cases import NETWORKS, is_right, verified  # noqa: E402

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no device"),
]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_on_a_device(name: str) -> None:
    (case,) = verified(NETWORKS[name]).cases
    assert is_right(NETWORKS[name], case), case
