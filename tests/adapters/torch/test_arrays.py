"""Every bit of a tensor arrives in NumPy, whatever its type and its layout."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is an extra")

from ckptcheck.adapters.torch.arrays import added, as_array, as_loose_array  # noqa: E402

pytestmark = pytest.mark.torch

# The same bytes in every type: NaN, infinities, subnormal numbers and both zeros among them.
EVERY_BYTE = np.arange(256, dtype=np.uint8)
IN_NUMPY = {
    torch.float16: np.float16,
    torch.float32: np.float32,
    torch.float64: np.float64,
    torch.complex64: np.complex64,
    torch.complex128: np.complex128,
    torch.int8: np.int8,
    torch.int16: np.int16,
    torch.int32: np.int32,
    torch.int64: np.int64,
    torch.uint8: np.uint8,
    torch.uint16: np.uint16,
    torch.uint32: np.uint32,
    torch.uint64: np.uint64,
    torch.bfloat16: ml_dtypes.bfloat16,
    torch.float8_e4m3fn: ml_dtypes.float8_e4m3fn,
    torch.float8_e4m3fnuz: ml_dtypes.float8_e4m3fnuz,
    torch.float8_e5m2: ml_dtypes.float8_e5m2,
    torch.float8_e5m2fnuz: ml_dtypes.float8_e5m2fnuz,
}


@pytest.mark.parametrize("dtype", IN_NUMPY, ids=str)
def test_every_bit_of_every_type(dtype: Any) -> None:
    tensor = torch.from_numpy(EVERY_BYTE.copy()).view(dtype)
    array = as_array(tensor)
    assert array.dtype == IN_NUMPY[dtype]
    assert array.shape == tuple(tensor.shape)
    assert array.tobytes() == EVERY_BYTE.tobytes()


def test_truth() -> None:
    array = as_array(torch.tensor([True, False]))
    assert (array.dtype, array.tolist()) == (np.dtype(bool), [True, False])


@pytest.mark.parametrize("dtype", [*IN_NUMPY, torch.bool], ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (2, 3)], ids=str)
def test_every_shape(dtype: Any, shape: tuple[int, ...]) -> None:
    assert as_array(torch.zeros(shape).to(dtype)).shape == shape


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float8_e5m2], ids=str)
def test_views_with_strides(dtype: Any) -> None:
    whole = torch.arange(6.0).reshape(2, 3).to(dtype)
    assert as_array(whole.T).astype(float).tolist() == [[0, 3], [1, 4], [2, 5]]
    assert as_array(whole[1:, ::2]).astype(float).tolist() == [[3, 5]]
    repeated = torch.tensor([1.0, 2.0]).to(dtype).expand(3, 2)
    assert as_array(repeated).astype(float).tolist() == [[1.0, 2.0]] * 3


def test_views_that_conjugate_and_negate() -> None:
    number = torch.tensor([1 + 2j, 3 - 4j])
    assert number.conj().is_conj()
    assert number.conj().imag.is_neg()
    assert as_array(number.conj()).tolist() == [1 - 2j, 3 + 4j]
    assert as_array(number.conj().imag).tolist() == [-2.0, 4.0]


def test_a_copy_that_later_updates_leave_alone() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    array = as_array(parameter)
    with torch.no_grad():
        parameter.add_(1)
    assert array.tolist() == [1.0, 1.0]
    array[0] = 7
    assert parameter.tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.zeros(3, device="meta"), "a tensor of layout torch.strided on meta has no values"),
        (torch.eye(3).to_sparse(), "a tensor of layout torch.sparse_coo on cpu has no values"),
    ],
    ids=["meta", "sparse"],
)
def test_a_tensor_without_values(tensor: Any, message: str) -> None:
    with pytest.raises(TypeError) as raised:
        as_array(tensor)
    assert str(raised.value) == message
    assert as_loose_array(tensor) is None


def test_tensors_that_belong_to_nothing() -> None:
    found = as_loose_array(torch.ones(2))
    assert found is not None
    assert found.tolist() == [1.0, 1.0]
    assert as_loose_array(torch.nn.Parameter(torch.ones(2))) is None
    assert as_loose_array([1.0]) is None


def test_what_a_program_puts_onto_an_object_of_pytorch() -> None:
    module = torch.nn.Linear(1, 1)
    module.mean = mean = torch.ones(1)
    assert added(module) == {"training": True, "in_features": 1, "out_features": 1, "mean": mean}
    optimizer = torch.optim.SGD(module.parameters())
    assert added(optimizer) == {}
    optimizer.ema = {"weight": mean}
    assert added(optimizer) == {"ema": {"weight": mean}}
    assert added(torch.ones(1)) == {}
