"""A pickle is read as data: nothing in it is called, and damage is an error with its place."""

import collections
import contextlib
import pickle
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptcheck.checkpoints.torch_zip import pickled
from ckptcheck.checkpoints.torch_zip.pickled import Global, Made, Pairs, PickleError, load

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
)


def plain(value: Any) -> Any:
    """Return a value with dictionaries in place of their pairs."""
    if isinstance(value, Pairs):
        return {key: plain(each) for key, each in value.pairs}
    if isinstance(value, list | tuple):
        return type(value)(map(plain, value))
    return value


@given(value=PLAIN, protocol=st.integers(3, pickle.HIGHEST_PROTOCOL))
def test_what_python_writes(value: Any, protocol: int) -> None:
    assert plain(load(pickle.dumps(value, protocol))) == value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_containers_that_refer_to_themselves_and_to_each_other(protocol: int) -> None:
    shared: list[Any] = [1]
    shared.append(shared)
    first, second = load(pickle.dumps([shared, shared], protocol))
    assert first is second
    assert first[1] is first


def test_an_object_stays_what_was_to_be_called() -> None:
    made = load(pickle.dumps(collections.OrderedDict(a=1), 2))
    assert isinstance(made, Made)
    assert made.what == Global("collections.OrderedDict", 2)
    assert (made.arguments, made.pairs) == ((), [("a", 1)])


class _Calls:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("it was called",)


def test_nothing_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    made = load(pickle.dumps(_Calls()))
    assert (made.what.name, made.arguments) == ("builtins.print", ("it was called",))
    assert not capsys.readouterr().out


REFUSED = {
    "cut off": (b"\x80\x02]q\x00", "the pickle is damaged: pickle exhausted before seeing STOP", 3),
    "empty": (b"", "the pickle is damaged: pickle exhausted before seeing STOP", 0),
    "no opcode": (
        b"\x80\x02\xff.",
        "the pickle is damaged: at position 2, opcode b'\\xff' unknown",
        0,
    ),
    "a short string": (
        b"\x80\x02U\x05ab",
        "the pickle is damaged: expected 5 bytes in a string1",
        0,
    ),
    "an extension": (b"\x80\x02\x82\x01.", "the pickle uses EXT1, which no checkpoint needs", 2),
    "an empty stack": (b"\x80\x02.", "the pickle takes from an empty stack", 2),
    "no mark": (b"\x80\x02t.", "the pickle goes back to a mark that is not there", 2),
    "no memo": (b"\x80\x02h\x07.", "the pickle refers to object 7, which is not there", 2),
    "nothing to remember": (b"\x80\x02q\x00.", "the pickle remembers nothing, or at no place", 2),
    "an odd dictionary": (b"\x80\x02}(K\x01u.", "the pickle has a key without a value", 6),
    "no container": (b"\x80\x02K\x01K\x02a.", "the pickle adds to what is no container", 6),
    "no class": (b"\x80\x02(o.", "the pickle makes an object of no class", 3),
    "no name": (b"\x80\x04K\x01K\x02\x93.", "the pickle names a global by what is no text", 6),
}


@pytest.mark.parametrize(("content", "what", "offset"), REFUSED.values(), ids=REFUSED)
def test_refused(content: bytes, what: str, offset: int) -> None:
    with pytest.raises(PickleError) as raised:
        load(content)
    assert raised.value.what.startswith(what)
    assert raised.value.offset == offset


def test_too_many_opcodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickled, "_MOST_OPCODES", 20)
    with pytest.raises(PickleError, match="the pickle has more than 20 opcodes"):
        load(pickle.dumps(list(range(100))))


@given(data=st.data())
def test_damage_is_one_error(data: st.DataObject) -> None:
    whole = bytearray(
        pickle.dumps({"a": [1, 2.5, ("x", None)], "b": collections.OrderedDict(c=b"d")})
    )
    generator = random.Random(data.draw(st.integers()))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[generator.randrange(len(whole))] ^= 1 << generator.randrange(8)
    with contextlib.suppress(PickleError):
        load(bytes(whole))
