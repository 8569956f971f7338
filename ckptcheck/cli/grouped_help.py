"""`--help` with the options of a command under headings."""

from typing import Any

from typer.core import TyperCommand

from ckptcheck.cli.options import GROUPS

OTHER = "Options"


class GroupedCommand(TyperCommand):
    """A command whose help lists its options in the groups that they declare."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then each group of options, then those without a group."""
        rows: dict[str, list[tuple[str, str]]] = {
            heading: [] for heading in ("Arguments", *GROUPS, OTHER)
        }
        for parameter in self.get_params(ctx):
            if row := parameter.get_help_record(ctx):
                is_argument = parameter.param_type_name == "argument"
                group = getattr(parameter, "rich_help_panel", None) or OTHER
                rows["Arguments" if is_argument else group].append(row)
        for heading, listed in rows.items():
            if listed:
                with formatter.section(heading):
                    formatter.write_dl(listed)
