"""Read a pickle as data: a global stays a name, and a call stays what was to be called, with what.

Nothing is imported or called. The opcodes are those of `pickletools`, which says what each does.
"""

import io
import pickletools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

# Bounds of what is read. A checkpoint of 100,000 tensors has four million opcodes.
MOST_BYTES = 1 << 28
_MOST_OPCODES = 5_000_000
_LAST = "STOP"
# Text with escapes, of Python 2. `pickletools` warns of a wrong escape, even where none may be: in
# names, each in a line of its own.
_ESCAPED = "STRING"
_LINES = {"GLOBAL": 2, "INST": 2, "PERSID": 1}
_MOST_MEMO = 1 << 32


class PickleError(Exception):
    """A pickle is damaged, or asks for what no checkpoint needs; `offset` is where, in bytes."""

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(what)
        self.what, self.offset = what, offset


@dataclass(frozen=True)
class Global:
    """A class or function that the pickle names."""

    name: str  # with its module: "torch._utils._rebuild_tensor_v2"
    offset: int


@dataclass(frozen=True)
class Persistent:
    """What a pickle refers to by an id, as PyTorch does to the bytes of a tensor."""

    id: Any


@dataclass(eq=False)
class Pairs:
    """A dictionary, as its pairs in order: no key is hashed, which forged keys would make slow."""

    pairs: list[tuple[Any, Any]] = field(default_factory=list)

    def get(self, key: str) -> Any:
        """Return the last value of a key; None: there is none."""
        return next((value for each, value in reversed(self.pairs) if each == key), None)


@dataclass(eq=False)
class Made(Pairs):
    """An object that a call was to make: what, from what, with what state and items."""

    what: Any = None  # a `Global`, unless the file is forged
    arguments: Any = ()
    state: Any = None
    items: list[Any] = field(default_factory=list)


# On the stack, what was pushed before a mark.
_Stack = list[Any]


def load(content: bytes) -> Any:
    """Return what a pickle holds: numbers, text, lists, tuples, sets, and the classes above.

    Raises:
        PickleError: it is cut off or damaged, or exceeds the bounds.
    """
    return _Machine(content).run()


class _Machine:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._stack: _Stack = []
        self._outer: list[_Stack] = []
        self._memo: dict[int, Any] = {}
        self._at = 0

    def run(self) -> Any:
        for count, (name, argument, at) in enumerate(self._opcodes()):
            self._at = at
            if count > _MOST_OPCODES:
                raise PickleError(f"the pickle has more than {_MOST_OPCODES:,} opcodes", at)
            if name != _LAST:
                self._do(name, argument)
        return self._pop()

    def _opcodes(self) -> Iterator[tuple[str, Any, int]]:
        """Yield each opcode with its argument and place, as `pickletools.genops` does."""
        stream = io.BytesIO(self._content)
        try:
            while (at := stream.tell()) < len(self._content):
                code = stream.read(1)
                opcode = pickletools.code2op.get(  # type: ignore[attr-defined]
                    code.decode("latin-1")
                )
                if opcode is None:
                    raise ValueError(f"at position {at}, opcode {code!r} unknown")
                if opcode.name == _ESCAPED:
                    raise PickleError(f"the pickle uses {_ESCAPED}, which no checkpoint needs", at)
                yield opcode.name, _argument(opcode, stream), at
                if opcode.name == _LAST:
                    return
            raise ValueError("pickle exhausted before seeing STOP")
        except (ValueError, OverflowError, UnicodeError, IndexError, MemoryError) as error:
            raise PickleError(f"the pickle is damaged: {error}", self._at) from None

    def _do(self, name: str, argument: Any) -> None:
        if name in _VALUES:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name]())
        elif name in _MEMO_PUTS:
            self._remember(len(self._memo) if argument is None else argument)
        elif name in _MEMO_GETS:
            if argument not in self._memo:
                what = f"the pickle refers to object {argument}, which is not there"
                raise PickleError(what, self._at)
            self._stack.append(self._memo[argument])
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        elif name not in ("PROTO", "FRAME"):
            raise PickleError(f"the pickle uses {name}, which no checkpoint needs", self._at)

    # --- The stack ---

    def _pop(self) -> Any:
        if not self._stack:
            raise PickleError("the pickle takes from an empty stack", self._at)
        return self._stack.pop()

    def _popped(self, count: int) -> list[Any]:
        return [self._pop() for _ in range(count)][::-1]

    def _since_mark(self) -> list[Any]:
        if not self._outer:
            raise PickleError("the pickle goes back to a mark that is not there", self._at)
        inner, self._stack = self._stack, self._outer.pop()
        return inner

    def _top(self, kind: type | tuple[type, ...]) -> Any:
        if not self._stack or not isinstance(self._stack[-1], kind):
            raise PickleError("the pickle adds to what is no container", self._at)
        return self._stack[-1]

    def _remember(self, place: int) -> None:
        if not 0 <= place < _MOST_MEMO or not self._stack:
            raise PickleError("the pickle remembers nothing, or at no place", self._at)
        self._memo[place] = self._stack[-1]

    def _paired(self, held: list[Any]) -> list[tuple[Any, Any]]:
        if len(held) % 2:
            raise PickleError("the pickle has a key without a value", self._at)
        return list(zip(held[::2], held[1::2], strict=True))

    def _extend(self, values: list[Any]) -> None:
        target = self._top((list, Made))
        (target.items if isinstance(target, Made) else target).extend(values)

    # --- Opcodes ---

    def mark(self, _: Any) -> None:
        self._outer.append(self._stack)
        self._stack = []

    def pop(self, _: Any) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._since_mark()

    def pop_mark(self, _: Any) -> None:
        self._since_mark()

    def dup(self, _: Any) -> None:
        self._stack.append(self._top(object))

    def make_list(self, _: Any) -> None:
        held = self._since_mark()
        self._stack.append(held)

    def make_tuple(self, _: Any) -> None:
        held = self._since_mark()
        self._stack.append(tuple(held))

    def make_tuple_of(self, count: int) -> None:
        self._stack.append(tuple(self._popped(count)))

    def make_dict(self, _: Any) -> None:
        held = self._since_mark()
        self._stack.append(Pairs(self._paired(held)))

    def append(self, _: Any) -> None:
        value = self._pop()
        self._extend([value])

    def appends(self, _: Any) -> None:
        self._extend(self._since_mark())

    def setitem(self, _: Any) -> None:
        pair = self._popped(2)
        self._top(Pairs).pairs.extend(self._paired(pair))

    def setitems(self, _: Any) -> None:
        held = self._since_mark()
        self._top(Pairs).pairs.extend(self._paired(held))

    def name_global(self, argument: str) -> None:
        self._stack.append(Global(argument.replace(" ", ".", 1), self._at))

    def name_stack_global(self, _: Any) -> None:
        module, name = self._popped(2)
        if not (isinstance(module, str) and isinstance(name, str)):
            raise PickleError("the pickle names a global by what is no text", self._at)
        self._stack.append(Global(f"{module}.{name}", self._at))

    def reduce(self, _: Any) -> None:
        what, arguments = self._popped(2)
        self._stack.append(Made(what=what, arguments=arguments))

    def newobj_ex(self, _: Any) -> None:
        what, arguments, named = self._popped(3)
        self._stack.append(Made(what=what, arguments=(arguments, named)))

    def inst(self, argument: str) -> None:
        arguments = tuple(self._since_mark())
        what = Global(argument.replace(" ", ".", 1), self._at)
        self._stack.append(Made(what=what, arguments=arguments))

    def obj(self, _: Any) -> None:
        held = self._since_mark()
        if not held:
            raise PickleError("the pickle makes an object of no class", self._at)
        self._stack.append(Made(what=held[0], arguments=tuple(held[1:])))

    def build(self, _: Any) -> None:
        state = self._pop()
        self._top(Made).state = state

    def persistent(self, argument: Any) -> None:
        self._stack.append(Persistent(self._pop() if argument is None else argument))


def _argument(opcode: Any, stream: io.BytesIO) -> Any:
    if opcode.name in _LINES:
        return " ".join(_line(stream) for _ in range(_LINES[opcode.name]))
    return opcode.arg.reader(stream) if opcode.arg else None


def _line(stream: io.BytesIO) -> str:
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise ValueError("no newline found when trying to read a name")
    return line[:-1].decode()


_VALUES = frozenset(
    (
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
        *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BYTEARRAY8"),
    )
)
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_SET": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": Pairs,
}
_MEMO_PUTS = frozenset(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"))
_MEMO_GETS = frozenset(("GET", "BINGET", "LONG_BINGET"))
_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine.mark,
    "POP": _Machine.pop,
    "POP_MARK": _Machine.pop_mark,
    "DUP": _Machine.dup,
    "LIST": _Machine.make_list,
    "FROZENSET": _Machine.make_list,
    "TUPLE": _Machine.make_tuple,
    "TUPLE1": lambda machine, _: machine.make_tuple_of(1),
    "TUPLE2": lambda machine, _: machine.make_tuple_of(2),
    "TUPLE3": lambda machine, _: machine.make_tuple_of(3),
    "DICT": _Machine.make_dict,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "ADDITEMS": _Machine.appends,
    "SETITEM": _Machine.setitem,
    "SETITEMS": _Machine.setitems,
    "GLOBAL": _Machine.name_global,
    "STACK_GLOBAL": _Machine.name_stack_global,
    "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.reduce,
    "NEWOBJ_EX": _Machine.newobj_ex,
    "INST": _Machine.inst,
    "OBJ": _Machine.obj,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.persistent,
    "PERSID": _Machine.persistent,
}
