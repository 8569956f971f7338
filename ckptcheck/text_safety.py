"""Text of a user's, or of a file's, made fit for every reader."""

import re

# A pattern (compiled when it is first used, which takes its time): all but the characters of XML 1.0: control characters,
# halves of surrogate pairs (which UTF-8 cannot hold either), U+FFFE.
_ILLEGIBLE = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


def legible(text: str) -> str:
    """Replace each character that XML 1.0 or UTF-8 cannot hold; exceptions may quote anything, colours of a terminal too."""
    return re.sub(_ILLEGIBLE, "\N{REPLACEMENT CHARACTER}", text)


def in_one_line(text: str) -> str:
    """Return a text without line breaks, and without what is not legible."""
    return " ".join(legible(text).split())


def clipped(text: str, most: int) -> str:
    """Cut a text to so many characters, and show that it is cut."""
    return text if len(text) <= most else text[: most - 1] + "…"


def shown(text: str) -> str:
    """Return a text as it can be printed in a line: whatever would move the cursor, or is no text, is escaped."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "replace").decode()
        for each in text
    )
