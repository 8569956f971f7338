"""What a pickle of PyTorch describes: forged descriptions are errors, and end."""

from typing import Any

import numpy as np
import pytest

from ckptcheck.checkpoints.torch_zip import values as of_values
from ckptcheck.checkpoints.torch_zip.names import named
from ckptcheck.checkpoints.torch_zip.pickled import Global, Made, Pairs, Persistent
from ckptcheck.checkpoints.torch_zip.values import (
    Given,
    ImpossibleError,
    Stored,
    TooMuchError,
    values,
)

FLOATS = Global("torch.FloatStorage", 0)


def call(name: str, *arguments: Any, state: Any = None) -> Made:
    """Return a call of a global."""
    return Made(what=Global(name, 0), arguments=arguments, state=state)


def storage(kind: Global = FLOATS, number: Any = "0", count: Any = 6) -> Persistent:
    """Return a reference to a storage."""
    return Persistent(("storage", kind, number, "cpu", count))


def tensor(*parts: Any) -> Made:
    """Return the call that makes a tensor of a storage, its offset, shape and strides."""
    return call("torch._utils._rebuild_tensor_v2", *parts, False, Pairs())


def test_a_tensor_of_a_storage() -> None:
    (found,) = values(Pairs([("w", tensor(storage(), 1, (2, 2), (2, 1)))]))
    assert found == (("w",), Stored("float32", np.dtype("float32"), (2, 2), (2, 1), "0", 1))
    assert found[1].is_contiguous
    assert found[1].span == 4


def test_wrapped_tensors() -> None:
    inner = tensor(storage(), 0, (6,), (1,))
    rebuild = Global("torch._utils._rebuild_tensor_v2", 0)
    of_type = call("torch._tensor._rebuild_from_type_v2", rebuild, FLOATS, inner.arguments, Pairs())
    for each in (call("torch._utils._rebuild_parameter", inner, True, Pairs()), of_type):
        assert [path for path, _ in values([each])] == [("0",)]


def test_numbers_text_and_lists_of_numbers() -> None:
    found = dict(
        values(Pairs([("n", 3), ("t", "x"), ("betas", (0.9, 0.99)), ("none", None), (0, True)]))
    )
    shown = {
        path: each.value if isinstance(each.value, bytes) else each.value.tolist()
        for path, each in found.items()
        if isinstance(each, Given)
    }
    assert shown == {("n",): 3, ("t",): b"x", ("betas",): [0.9, 0.99], ("0",): True}


def test_a_number_of_more_than_64_bits_is_text() -> None:
    assert dict(values([1 << 70])) == {("0",): Given("text", f"{1 << 70:#x}".encode())}


def test_an_object_is_what_it_was_made_from_and_its_state() -> None:
    ema = call("program.Ema", state=Pairs([("shadow", [tensor(storage(), 0, (6,), (1,))])]))
    assert [path for path, _ in values(Pairs([("ema", ema)]))] == [("ema", "shadow", "0")]


IMPOSSIBLE = {
    "a negative size": (tensor(storage(), 0, (-1,), (1,)), "the sizes of a tensor are no numbers, or negative"),
    "strides missing": (tensor(storage(), 0, (2,), ()), "a tensor has 1 sizes and 0 strides"),
    "no storage": (tensor(3, 0, (2,), (1,)), "a tensor has no storage"),
    "an unknown storage": (
        tensor(storage(Global("os.system", 0)), 0, (2,), (1,)),
        "a storage is of type system, which is unknown",
    ),
    "no number": (tensor(storage(number=3), 0, (2,), (1,)), "a storage has no number"),
    "a size that is none": (storage(count="x"), "the size of a storage is no number"),
    "no parts": (call("torch._utils._rebuild_tensor_v2"), "torch._utils._rebuild_tensor_v2 is called without the parts of a tensor"),
    "an array cut off": (
        call("numpy.core.multiarray._reconstruct", state=(1, (3,), call("numpy.dtype", "f4"), False, b"1234")),
        "an array of NumPy has more or fewer bytes than its shape",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("value", "what"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_what_cannot_be(value: Any, what: str) -> None:
    with pytest.raises(ImpossibleError) as raised:
        list(values([value]))
    assert str(raised.value) == what


def test_what_holds_itself_is_followed_once() -> None:
    held: list[Any] = [3]
    held.append(held)
    itself = call("program.Node")
    itself.state = Pairs([("value", 1), ("parent", itself)])
    assert [path for path, _ in values([held, itself])] == [("0", "0"), ("1", "value")]


def test_lists_that_hold_each_other_twice_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_values, "_MOST", 1000)
    held: list[Any] = ["x"]
    for _ in range(40):
        held = [held, held]
    with pytest.raises(TooMuchError, match="it holds more than a checkpoint of a million tensors"):
        list(values(held))


def test_many_levels_are_read_and_far_too_many_are_not() -> None:
    held: Any = 7
    for _ in range(500):
        held = [held, "x"]
    assert len(list(values(held))) == 501
    for _ in range(1000):
        held = [held, "x"]
    with pytest.raises(TooMuchError):
        list(values(held))


def test_a_text_that_is_there_many_times_is_held_once() -> None:
    text = "x" * 1000
    found = list(values([text] * 100))
    assert len({id(each) for _, each in found}) == 1


def test_an_object_that_is_its_own_state_ends() -> None:
    itself = call("program.Node")
    itself.state = itself
    assert list(values(itself)) == []


@pytest.mark.parametrize(
    "value",
    [
        call("_codecs.encode"),
        call("builtins.complex", 2**2000, 1),
        call("numpy.core.multiarray.scalar", call("numpy.dtype", "f8"), call("_codecs.encode")),
    ],
)
def test_calls_that_are_none(value: Any) -> None:
    """What they were called with is shown."""
    assert not [path for path, _ in values([value]) if "arguments" not in path]


@pytest.mark.parametrize("shape", [(0, 1 << 61, 1 << 61), (1 << 61, 8, 0), (1,) * 100])
def test_shapes_beyond_numpy_s(shape: tuple[int, ...]) -> None:
    state = (1, shape, call("numpy.dtype", "u1"), False, b"")
    with pytest.raises(ImpossibleError):
        list(values([call("numpy.core.multiarray._reconstruct", state=state)]))


def test_many_keys_that_are_written_alike_have_names_of_their_own() -> None:
    same = Pairs([((*range(8), number), number) for number in range(3)])
    assert list(named(list(values(same)))) == [
        "(0, 1, 2, 3, 4, 5, 6, 7)",
        "(0, 1, 2, 3, 4, 5, 6, 7)~2",
        "(0, 1, 2, 3, 4, 5, 6, 7)~3",
    ]


def test_many_forged_optimizers_and_models_are_not_compared() -> None:
    """Each with each would take hours."""
    optimizer = Pairs([("param_groups", [Pairs([("lr", 0.1)])])])
    held = [*[optimizer] * 3000, *[[tensor(storage(), 0, (6,), (1,))]] * 3000]
    assert len(named(list(values(held)))) == 6000
