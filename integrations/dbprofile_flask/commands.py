"""``flask dbprofile VERB …``: the verbs about saved reports, beside the application's own commands."""

from __future__ import annotations

import click

__all__ = ["command"]


@click.command(
    "dbprofile",
    short_help="Show, compare and list saved reports of queries.",
    # Options and --help are the verbs' own.
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(context: click.Context, words: tuple[str, ...]) -> None:
    """Run one verb."""
    from dbprofile.cli import SAVED, main  # noqa: PLC0415 - what a served application need not load

    context.exit(main(words, program=context.command_path, verbs=SAVED))
