"""How outputs are printed for a person."""

from typing import Any

from rich.console import Console, RenderableType
from rich.table import Column, Table


def unruled(*columns: Column, **options: Any) -> Table:
    """Return an empty table without lines."""
    return Table(
        *columns, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", **options
    )


def numeric(head: str) -> Column:
    """Return a column of numbers."""
    return Column(head, justify="right", no_wrap=True)


def print_trimmed(console: Console, *renderables: RenderableType, soft_wrap: bool = False) -> None:
    """Print one below the other, as wide as the console, without spaces at the ends of lines."""
    with console.capture() as captured:
        for renderable in renderables:
            console.print(renderable, soft_wrap=soft_wrap, crop=False)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()), file=console.file)
