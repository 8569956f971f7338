"""Commands whose help shows their options in groups, and examples; each option counts once."""

from collections.abc import Callable, Sequence
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class _Option(click.Option):
    def __init__(self, *declarations: Any, group: str, **settings: Any) -> None:
        super().__init__(*declarations, **settings)
        self.group = group


class GroupedCommand(click.Command):
    """A command whose help has a section for each group of its options, and one of examples.

    `examples` are command lines without `ckptcheck`, each with what it does.
    """

    def __init__(
        self, *arguments: Any, examples: Sequence[tuple[str, str]] = (), **settings: Any
    ) -> None:
        super().__init__(*arguments, **settings)
        self.examples = examples

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections in the order in which their first options are declared."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                sections.setdefault(getattr(parameter, "group", "Other"), []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)
        with formatter.section("Examples"):
            for line, what in self.examples:
                formatter.write_text(what)
                formatter.write(f"{'':{formatter.current_indent + 2}}ckptcheck {line}\n")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; refuse an option that is given twice but has one value."""
        if not ctx.resilient_parsing:
            _, _, order = self.make_parser(ctx).parse_args(list(args))
            given = [each for each in order if isinstance(each, click.Option)]
            for each in given:
                if given.count(each) > 1 and not each.multiple and not _is_switch(each):
                    raise click.UsageError(f"{'/'.join(each.opts)} was given twice. Give it once.")
        return super().parse_args(ctx, args)


def _is_switch(option: click.Option) -> bool:
    """Return whether an option says the same each time: one that has no opposite and no value."""
    return option.is_flag and not option.secondary_opts


def option(*declarations: str, group: str, **settings: Any) -> Decorator:
    """Declare an option that stands under the heading `group` in the help."""
    return click.option(*declarations, cls=_Option, group=group, **settings)


def together(*options: Decorator) -> Decorator:
    """Return one decorator that declares several options, in this order."""

    def declare(command: Callable[..., Any]) -> Callable[..., Any]:
        for each in reversed(options):
            command = each(command)
        return command

    return declare


class AfterDashes(GroupedCommand):
    """A command that takes the words after `--` as they are, as the parameter `command`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Set aside the words after the first `--`, and parse the rest."""
        if "--" in args:
            place = args.index("--")
            ctx.meta[COMMAND] = args[place + 1 :]
            args = args[:place]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Add the command to the usage line."""
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND...]"]


# Where the words after `--` are, in the `meta` of a context.
COMMAND = "ckptcheck.command"
