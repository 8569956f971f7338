"""Where the files of a saver are while it is studied."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """The folder of a saver, and what is in it."""

    folder: Path

    @property
    def run(self) -> Path:
        """The folder that it saves into and restores from."""
        return self.folder / "run"

    @property
    def marks(self) -> Path:
        """The folder of empty files that mark in the trace where a save begins and ends."""
        return self.folder / "marks"

    @property
    def images(self) -> Path:
        """The folder of copies of `run`."""
        return self.folder / "images"

    @property
    def states(self) -> Path:
        """The file of the states that were saved."""
        return self.folder / "states.json"

    @property
    def trouble(self) -> Path:
        """The file that says why it could not save."""
        return self.folder / "trouble.txt"

    def image(self, number: int) -> Path:
        """Return the copy of `run` after a save."""
        return self.images / str(number)

    def found(self, number: int) -> Path:
        """Return the folder that holds a crash state, or the whole of a save if negative."""
        return self.folder / "found" / str(number)

    @staticmethod
    def done(number: int) -> str:
        """Return the name of the mark that a save is done."""
        return f"{number}-done"

    @staticmethod
    def goes_on(number: int) -> str:
        """Return the name of the mark that the run goes on after a save."""
        return f"{number}-goes-on"
