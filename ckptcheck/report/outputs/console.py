"""How outputs are printed for a person."""

from rich.console import Console, RenderableType


def print_trimmed(console: Console, *renderables: RenderableType) -> None:
    """Print as wide as the console, one below the other. Tables are padded to their width; nobody wants that in a file."""
    with console.capture() as captured:
        for renderable in renderables:
            console.print(renderable)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()), file=console.file)
