"""How outputs are printed for a person."""

import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

from ckptcheck.text_safety import shown_in_lines


class SafeConsole(Console):
    """A console that escapes control characters, and takes no text for markup.

    Names and exceptions can have any text. All that is printed passes through this class.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text for a string, escaped."""
        return super().render_str(shown_in_lines(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the pieces of something printed, its text escaped."""
        safe = _escaped(renderable) if isinstance(renderable, Text) else renderable
        return super().render(safe, options)


def _escaped(text: Text) -> Text:
    plain = text.plain
    unsafe = [place for place, each in enumerate(plain) if shown_in_lines(each) != each]
    if not unsafe:
        return text
    safe = text.blank_copy()
    # Each unsafe character is a piece, and so is the text between two of them.
    for each in text.divide(sorted({cut for place in unsafe for cut in (place, place + 1)})):
        if shown_in_lines(each.plain) == each.plain:
            safe.append_text(each)
            continue
        piece = Text(shown_in_lines(each.plain), end="")
        for span in each.spans:
            piece.stylize(span.style)
        safe.append_text(piece)
    return safe


def unruled(*columns: Column, **options: Any) -> Table:
    """Return an empty table without lines."""
    return Table(
        *columns, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", **options
    )


def numeric(head: str) -> Column:
    """Return a column of numbers."""
    return Column(head, justify="right", no_wrap=True)


def in_parts(name: str, width: int) -> str:
    """Break a name into lines of at most `width` characters where words in it end, if it has any.

    Words end before a capital, and after a mark such as `_`, `.` or `/`.
    """
    lines = [""]
    for word in re.findall(r"[A-Z]+[^A-Z\W_]*[\W_]*|[^A-Z\W_]+[\W_]*|[\W_]+", name):
        if lines[-1] and len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] += word
    return "\n".join(lines)


def print_trimmed(console: Console, *renderables: RenderableType, soft_wrap: bool = False) -> None:
    """Print one below the other, as wide as the console, without spaces at the ends of lines."""
    with console.capture() as captured:
        for renderable in renderables:
            console.print(renderable, soft_wrap=soft_wrap, crop=False)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()), file=console.file)
