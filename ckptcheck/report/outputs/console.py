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


def print_trimmed(console: Console, *renderables: RenderableType) -> None:
    """Print as wide as the console, one below the other. Tables are padded to their width; nobody wants that in a file."""
    with console.capture() as captured:
        for renderable in renderables:
            console.print(renderable)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()), file=console.file)
