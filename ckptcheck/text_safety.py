"""Make text of users and files safe to write and print."""

import json
import re

# Control characters, and what XML 1.0 cannot hold: U+FFFE, and halves of surrogate pairs, which
# UTF-8 cannot hold either. Compiled on first use, because compiling is slow.
_ILLEGIBLE = "[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"

# The first line of an error that TensorFlow met in a graph.
_GRAPH = "Graph execution error:"
# The first lines of errors of PyTorch.
_STATE_DICT = "Error(s) in loading state_dict"
_WEIGHTS_ONLY = "Weights only load failed"
# What Keras and AutoGraph write before the text of an exception: the layer, and a traceback.
_WRAPPER = (
    r"\AException encountered when calling .*\n\s*\n"
    r"|\Ain user code:\n(?:.*\n)*?    \w+: "
)


def legible(text: str) -> str:
    """Replace each character that XML 1.0 or UTF-8 cannot hold, such as a terminal's colours."""
    return re.sub(_ILLEGIBLE, "\N{REPLACEMENT CHARACTER}", text)


def in_one_line(text: str) -> str:
    """Return a text in one line, legible."""
    return " ".join(legible(text).split())


def clipped(text: str, most: int) -> str:
    """Shorten a text to at most that many characters, and mark the cut with `…`."""
    return text if len(text) <= most else text[: most - 1] + "…"


def first_sentence(message: str) -> str:
    """Return the first line of an exception's text, cut to 200 characters.

    Without the lines that Keras, AutoGraph, TensorFlow and PyTorch write before the text, and
    without Keras' bold type.
    """
    text, wrapped = re.sub("\x1b\\[[01]m", "", message).strip(), ""
    while text != wrapped:
        text, wrapped = re.sub(_WRAPPER, "", text).strip(), text
    lines = [line for line in text.splitlines() if line.strip()] or ["(no text)"]
    return clipped(_telling(lines), 200)


def _telling(lines: list[str]) -> str:
    """Return what the lines of an exception's text say: the first one, where it is no heading."""
    first, *rest = lines
    if first == _GRAPH and rest:
        return _of_graph(rest)
    if first.startswith(_STATE_DICT) and rest:
        return f"{first} {rest[0].strip()}"
    if first.startswith(_WEIGHTS_ONLY):
        refused = (re.search(r"Unsupported .*? by default", line) for line in rest)
        return next((f"{_WEIGHTS_ONLY}: {each[0]}" for each in refused if each), first)
    return first


def _of_graph(lines: list[str]) -> str:
    """Return the line of a graph error that says what happened: it stands before the node's."""
    nodes = [at for at, line in enumerate(lines) if at and line.strip().startswith("[[{{node")]
    return re.sub(r"^\s*\(\d+\) [A-Z_]+:", "", lines[nodes[0] - 1 if nodes else 0]).strip()


def shown(text: str) -> str:
    """Return a text with every character that is not printable escaped."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "replace").decode()
        for each in text
    )


def shown_in_lines(text: str) -> str:
    """Return a text with every character escaped that is neither printable nor a line break."""
    return "\n".join(map(shown, text.split("\n")))


def shown_as_json(text: str) -> str:
    """Escape a JSON document as `shown_in_lines` does, in JSON's own way: its values stay."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(
        each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in text
    )
