"""
`attach`: what is attached to an event; fetched, added and removed.

Knows how it is shown and asked about. Reading needs nothing but the service; what changes something
is done by the daemon or, where none is running, by this process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from syncd.core.errors import CommandError
from syncd.shell.commands.common import (
    PATIENCE_S,
    Invocation,
    ask,
    confirmed,
    json_option,
    pass_invocation,
    run,
    through_workshop,
    yes_option,
)
from syncd.shell.commands.completing import offering

if TYPE_CHECKING:
    from syncd.core.wire.dialects.graph_attachments import Attachment
    from syncd.shell.attachments import Change, Place
    from syncd.shell.config_model import Config
    from syncd.shell.finding import Asked
    from syncd.shell.uploading import Source
    from syncd.shell.workshop import Workshop

__all__ = ["attach_command"]

F = TypeVar("F", bound=Callable[..., Any])
MOST_NAME: Final = 255
ABOUT: Final = ("words", "calendar", "occurrence")
LATER: Final = "Guests get it with the next update of the meeting."
NOT_YOURS: Final = "It is somebody else's meeting: this is about your own copy of it alone."


def _read_day(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    try:
        return date.fromisoformat(value).isoformat() if value else ""
    except ValueError:
        raise click.BadParameter(f"{value!r} is no day; write 2031-03-04", ctx, param) from None


def _about(command: F) -> F:
    """The options that say which event is meant; before or behind the word for what to do."""
    for option in (
        click.option(
            "--occurrence",
            metavar="DATE",
            callback=_read_day,
            help="One day of a series, by where its rule has it.",
        ),
        click.option("--calendar", metavar="NAME", default="", help="Only in this calendar."),
        click.option("--match", "words", metavar="TEXT", default="", help="Look for words."),
    ):
        command = option(command)
    return command


class UidFirst(click.Group):
    """A group whose first word is a UID, which `--match` makes superfluous."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take the UID out, if there is one."""
        ctx.meta["syncd.uid"] = ""
        if args[0] not in self.commands:
            if len(args) == 1 and not ctx.resilient_parsing:
                raise click.UsageError("say what to do: list, get, add or rm", ctx)
            ctx.meta["syncd.uid"], *args = args
        return super().resolve_command(ctx, args) if args else (None, None, [])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """UIDs as well, as long as there is none."""
        found = super().shell_complete(ctx, incomplete)
        named = ctx.meta.get("syncd.uid") or ctx.params.get("words")
        return (
            found if named else [*offering("uid")(ctx, ctx.command.params[0], incomplete), *found]
        )


@click.group("attach", cls=UidFirst, subcommand_metavar="[UID] list|get|add|rm [ARGS]...")
@_about
@click.pass_context
def attach_command(ctx: click.Context, /, **about: str) -> None:
    """
    List, fetch, add and remove the attachments of an event.

    UID may be shortened to any unique beginning; `--match TEXT` finds the event by its words.
    """
    ctx.meta["syncd.about"] = about


def _asked(how: dict[str, Any]) -> Asked:
    from syncd.shell.finding import Asked

    meta = click.get_current_context().meta
    about = {name: how.pop(name) or meta["syncd.about"][name] for name in ABOUT}
    asked = Asked(kind="attach", uid=meta["syncd.uid"], **about)
    if bool(asked.uid) == bool(asked.words):
        raise CommandError(
            "say which event is meant, once",
            hint="Write the beginning of its UID (`syncd attach UID list`), "
            "or --match with words of it.",
        )
    return asked


# --- list ----------------------------------------------------------------------------------------


@attach_command.command("list")
@_about
@json_option
@pass_invocation
def list_command(invocation: Invocation, /, as_json: bool, **how: Any) -> int:
    """List what is attached."""
    return run(_list(invocation.config(), _asked(how), as_json=as_json))


async def _list(config: Config, asked: Asked, *, as_json: bool) -> int:
    from syncd.shell.output import print_json, say, size, table

    _, there = await _looked_at(config, asked)
    if as_json:
        print_json([_to_json(number, one) for number, one in enumerate(there, 1)])
    elif not there:
        say("Nothing is attached.")
    else:
        heads = ("", "name", "type", "size", "content type", "")
        rows = [
            (n, one.name, one.kind, size(one.size_bytes), one.content_type, _inline(one))
            for n, one in enumerate(there, 1)
        ]
        table(heads, rows)
    return 0


def _inline(one: Attachment) -> str:
    return "inline" if one.is_inline else ""


def _to_json(number: int, one: Attachment) -> dict[str, Any]:
    return {
        "number": number,
        "name": one.name,
        "type": one.kind,
        "size": one.size_bytes,
        "content_type": one.content_type,
        "inline": one.is_inline,
    }


async def _looked_at(config: Config, asked: Asked) -> tuple[Place, list[Attachment]]:
    from syncd.shell.attachments import attachments_of, find_place

    async with _reading(config) as workshop:
        place = await find_place(workshop, asked)
        return place, await attachments_of(workshop, place)


def _reading(config: Config) -> Any:
    """The parts, on a copy of the state: a running daemon does not mind."""
    from syncd.shell.output import log_fact
    from syncd.shell.workshop import Workshop

    return Workshop.open(config, log_fact, patience_s=PATIENCE_S, dry=True)


# --- get -----------------------------------------------------------------------------------------


@attach_command.command("get")
@click.argument("which", metavar="N|NAME")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="Where to; the present folder by default.",
)
@click.option("--keep", is_flag=True, help="Into the calendar's folder, under .attachments/.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@_about
@pass_invocation
def get_command(
    invocation: Invocation, /, which: str, output: Path | None, keep: bool, force: bool, **how: Any
) -> int:
    """Save one of them: by its number in the list, or its name."""
    if keep and output is not None:
        raise click.UsageError("--keep says where it goes: leave --output out.")
    target = None if keep else output or Path()
    return run(_get(invocation.config(), _asked(how), which, target, force=force))


async def _get(
    config: Config, asked: Asked, which: str, target: Path | None, *, force: bool
) -> int:
    from syncd.shell.attachments import attachments_of, fetch, find_attachment, find_place, keeping
    from syncd.shell.output import bytes_progress, say, size
    from syncd.vdir.saving import share_content

    async with _reading(config) as workshop:
        place = await find_place(workshop, asked)
        one = find_attachment(await attachments_of(workshop, place), which)
        output = target if target is not None else await keeping(config, place)
        with bytes_progress(f"Fetching {one.name} …") as told:
            path = await fetch(workshop, place, one, output, force=force, told=told)
        if target is None:
            await asyncio.to_thread(share_content, path)
    say(f"Saved {path} ({size(path.stat().st_size)}).")
    return 0


# --- add -----------------------------------------------------------------------------------------


@attach_command.command("add")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@click.option("--name", metavar="NAME", default="", help="What it is to be called there.")
@click.option("--dry-run", "dry", is_flag=True, help="Show it, send nothing.")
@_about
@pass_invocation
def add_command(
    invocation: Invocation, /, files: tuple[Path, ...], name: str, dry: bool, **how: Any
) -> int:
    """Attach files; the same command goes on where an interrupted one stopped."""
    for file in files:
        _check_file(file)
    _check_name(files, name)
    return run(_add(invocation.config(), _asked(how), files, name, dry=dry))


def _check_file(file: Path) -> None:
    if ":/" in str(file) and not file.exists():
        raise CommandError(
            f"'{file}' is no file: Graph v1.0 attaches no links to what lies elsewhere",
            hint="Write the link into the event's text, or attach it in Outlook.",
        )


def _check_name(files: Sequence[Path], name: str) -> None:
    if name and len(files) > 1:
        raise CommandError("--name goes with one file", hint="Add them one by one.")
    for one in [name] if name else [file.name for file in files]:
        if not one.strip() or not one.isprintable() or len(one) > MOST_NAME:
            raise CommandError(
                f"{one!r} is no name for an attachment", hint="Give it another with --name."
            )


async def _add(config: Config, asked: Asked, files: Sequence[Path], name: str, *, dry: bool) -> int:
    from syncd.shell.attachments import check_writable, find_place
    from syncd.shell.uploading import read_source

    # All of them before the first: nothing is sent where one cannot be.
    sources = [await read_source(file.absolute()) for file in files]
    async with _reading(config) as workshop:
        place = await find_place(workshop, asked)
        check_writable(config, place.calendar)
    codes = [
        await _added(config, place, source, name or source.path.name, dry=dry) for source in sources
    ]
    _tell_guests(place)
    return max(codes)


async def _added(config: Config, place: Place, source: Source, name: str, *, dry: bool) -> int:
    """What the command ends with."""
    from syncd.shell.attachments import Change
    from syncd.shell.output import bytes_progress, say, size
    from syncd.store.uploads import Uploads

    what = f"{name} ({size(source.size_bytes)})"
    if dry:
        say(f"{what} would be attached to {_shown(place)}.")
        return 0
    wanted = Change(
        kind="add",
        account=place.calendar.account,
        calendar=place.calendar.id,
        event=place.id,
        path=str(source.path),
        name=name,
        sha256=source.sha256,
        title=place.summary,
    )
    with bytes_progress(f"Attaching {name} …") as told:
        done = await _done(config, wanted, told)
    if done["state"] == "kept":
        say(done["done"])
        return int(done["code"])
    already = " (an earlier try had got through)" if done["state"] == "was-there" else ""
    say(f"{what} is attached to {_shown(place)}{already}.")
    # Told: the same command now means one more.
    await Uploads(config.state_dir).forget(wanted.key)
    return 0


async def _done(config: Config, wanted: Change, told: Callable[[int, int], None]) -> dict[str, Any]:
    import msgspec

    from syncd.shell.errands import attach
    from syncd.shell.output import log_fact

    answer = await ask(config, {"do": "attach", "change": msgspec.to_builtins(wanted)})
    if answer is not None:
        return answer

    async def act(workshop: Workshop) -> dict[str, Any]:
        return await attach(workshop, wanted, told)

    return await through_workshop(config, log_fact, act)


def _shown(place: Place) -> str:
    return f"{place.summary or 'the event'} ({place.target})"


def _tell_guests(place: Place) -> None:
    from syncd.shell.output import say

    if not place.own:
        say(NOT_YOURS)
    elif place.guests:
        say(LATER)


# --- rm ------------------------------------------------------------------------------------------


@attach_command.command("rm")
@click.argument("which", metavar="N|NAME")
@click.option("--dry-run", "dry", is_flag=True, help="Show it, remove nothing.")
@_about
@yes_option
@pass_invocation
def rm_command(invocation: Invocation, /, which: str, dry: bool, yes: bool, **how: Any) -> int:
    """Remove one of them: by its number in the list, or its name."""
    return run(_rm(invocation.config(), _asked(how), which, dry=dry, yes=yes))


async def _rm(config: Config, asked: Asked, which: str, *, dry: bool, yes: bool) -> int:
    from syncd.shell.attachments import (
        Change,
        attachments_known,
        check_writable,
        find_attachment,
        find_place,
    )
    from syncd.shell.output import say, size

    async with _reading(config) as workshop:
        place = await find_place(workshop, asked)
        check_writable(config, place.calendar)
        one = find_attachment(await attachments_known(workshop, place), which)
    say(f"{one.name} ({size(one.size_bytes)}), attached to {_shown(place)}", "bold")
    if place.guests and place.own:
        say("Nobody is told until the next update of the meeting.")
    if dry:
        say("It would be removed.")
        return 0
    if not confirmed("Remove it?", yes=yes):
        say("Nothing was done.")
        return 0
    wanted = Change(
        kind="rm",
        account=place.calendar.account,
        calendar=place.calendar.id,
        event=place.id,
        name=one.name,
        attachment=one.id,
        title=place.summary,
    )
    done = await _done(config, wanted, lambda done, whole: None)
    if done["state"] == "kept":
        say(done["done"])
        return int(done["code"])
    if done["state"] == "gone":
        raise CommandError(
            f"{one.name!r} is not attached any more",
            hint="`syncd attach UID list` shows what there is.",
        )
    say("It is removed.")
    _tell_guests(place)
    return 0
