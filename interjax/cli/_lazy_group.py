"""A group of commands that are imported when they are used, so that the list of them costs nothing."""

import importlib
from collections.abc import Iterator, MutableMapping
from typing import Any

import click

IF_REFUSED = "interjax.if_refused"  # in a context's `meta`: called without arguments if the command is refused


class LazyGroup(click.Group):
    """A group that knows where its commands are and one line about each.

    A command is imported when it runs or is asked for its own help; the group's help imports none.

    Args:
        homes: for each command the module that defines it under its name.
        lines: for each command the first line of its help.
    """

    def __init__(self, *arguments, homes: dict[str, str], lines: dict[str, str], **options):
        super().__init__(*arguments, commands=_Commands(homes), **options)
        self.lines = lines

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; one that is refused leaves what it says to do so."""
        try:
            return super().invoke(ctx)
        except ValueError:
            ctx.meta.pop(IF_REFUSED, lambda: None)()
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from what is known of them unimported."""
        width = formatter.width - 6 - max(map(len, self.lines))
        stubs = [click.Command(name, help=line) for name, line in sorted(self.lines.items())]
        with formatter.section("Commands"):
            formatter.write_dl([(str(stub.name), stub.get_short_help_str(width)) for stub in stubs])


class _Commands(MutableMapping[str, click.Command]):
    """Commands by name, each imported when it is looked up."""

    def __init__(self, homes: dict[str, str]):
        self.homes, self.imported = homes, {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self.imported:
            self.imported[name] = getattr(importlib.import_module(self.homes[name]), name)
        return self.imported[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self.imported[name] = command

    def __delitem__(self, name: str) -> None:
        del self.imported[name]

    def __contains__(self, name: object) -> bool:
        return name in self.homes or name in self.imported

    def __iter__(self) -> Iterator[str]:
        return iter(self.homes | self.imported)

    def __len__(self) -> int:
        return len(self.homes | self.imported)
