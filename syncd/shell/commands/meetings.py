"""
`respond`, `cancel`, `forward`: what is said to others about a meeting.

Knows how a wish is shown before it is sent. It is carried out by the daemon or, where none is
running, by this process; offline it is kept, and goes when the service can be reached.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from syncd.core.errors import CommandError
from syncd.shell.commands.common import (
    AT_A_TERMINAL_S,
    Invocation,
    ask,
    confirmed,
    json_option,
    open_store,
    pass_invocation,
    run,
    through_workshop,
    yes_option,
)
from syncd.shell.commands.completing import offering

if TYPE_CHECKING:
    from syncd.shell.asking import Planned
    from syncd.shell.config_model import Config
    from syncd.shell.finding import Asked

__all__ = ["about_event", "cancel_command", "forward_command", "respond_command", "run_wish"]

F = TypeVar("F", bound=Callable[..., Any])


def _read_day(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    try:
        return date.fromisoformat(value).isoformat() if value else ""
    except ValueError:
        raise click.BadParameter(f"{value!r} is no day; write 2031-03-04", ctx, param) from None


def _read_answer(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[str, str]:
    """The UID, "" where it is left out, and the answer, which comes last."""
    from syncd.core.wishes import ANSWERS

    if ctx.resilient_parsing:
        return value  # type: ignore[return-value]  # of a line that is being typed, what there is
    *uids, answer = value or ("",)
    if answer not in ANSWERS or len(uids) > 1:
        raise click.UsageError(f"say one of {', '.join(ANSWERS)}, after the UID", ctx)
    return "".join(uids), answer


def _offer_words(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The UID first, unless `--match` names the event; then the answer."""
    from syncd.core.wishes import ANSWERS

    answers = [CompletionItem(one) for one in ANSWERS if one.startswith(incomplete)]
    named = ctx.params.get("said") or ctx.params.get("words")
    return answers if named else [*offering("uid")(ctx, param, incomplete), *answers]


def _read_span(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[datetime, datetime] | None:
    """`START/END` as wall times; of END the time alone will do."""
    if value is None:
        return None
    try:
        first, _, last = value.partition("/")
        start = datetime.fromisoformat(first)
        end = _end(start, last)
        if start.tzinfo is not None or end.tzinfo is not None:
            raise ValueError(value)
    except ValueError:
        shown = f"{value!r} is no span; write 2031-03-04T10:00/11:00, in the mailbox's zone"
        raise click.BadParameter(shown, ctx, param) from None
    return start, end


def _end(start: datetime, text: str) -> datetime:
    if "T" in text or len(text) > len("00:00:00"):
        return datetime.fromisoformat(text)
    return datetime.combine(start.date(), time.fromisoformat(text))


_comment = click.option("--comment", metavar="TEXT", default="", help="Words that go with it.")


def about_event(command: F) -> F:
    """The options that say which event is meant, and how to go about it."""
    for option in reversed(
        (
            click.option("--match", "words", metavar="TEXT", default="", help="Look for words."),
            click.option(
                "--calendar",
                metavar="NAME",
                default="",
                help="Only in this calendar.",
                shell_complete=offering("calendar"),
            ),
            click.option(
                "--occurrence",
                metavar="DATE",
                callback=_read_day,
                help="One day of a series, by where its rule has it.",
            ),
            click.option("--dry-run", "dry", is_flag=True, help="Show it, send nothing."),
            yes_option,
            json_option,
        )
    ):
        command = option(command)
    return command


@click.command("respond")
@click.argument(
    "said",
    nargs=-1,
    metavar="[UID] accept|tentative|decline",
    callback=_read_answer,
    shell_complete=_offer_words,
)
@click.option(
    "--propose",
    metavar="START/END",
    callback=_read_span,
    help="Another time, such as 2031-03-04T10:00/11:00.",
)
@click.option("--no-send", "silent", is_flag=True, help="Do not tell the organizer.")
@_comment
@about_event
@pass_invocation
def respond_command(
    invocation: Invocation,
    /,
    said: tuple[str, str],
    propose: tuple[datetime, datetime] | None,
    silent: bool,
    **how: Any,
) -> int:
    """
    Answer an invitation: accept, tentative or decline.

    UID may be shortened to any unique beginning; `--match TEXT` finds the event by its words.
    """
    uid, answer = said
    return run_wish(
        invocation, "respond", how, uid=uid, answer=answer, propose=propose, sends=not silent
    )


@click.command("cancel")
@click.argument("uid", required=False, default="", shell_complete=offering("uid"))
@_comment
@about_event
@pass_invocation
def cancel_command(invocation: Invocation, /, **how: Any) -> int:
    """
    Cancel a meeting of your own, with words to its guests; or one day of a series.

    UID may be shortened to any unique beginning; `--match TEXT` finds the event by its words.
    """
    return run_wish(invocation, "cancel", how)


@click.command("forward")
@click.argument("uid", required=False, default="", shell_complete=offering("uid"))
@click.option("--to", "to", metavar="ADDRESS", multiple=True, required=True, help="To whom.")
@_comment
@about_event
@pass_invocation
def forward_command(invocation: Invocation, /, to: tuple[str, ...], **how: Any) -> int:
    """
    Forward a meeting to others; its organizer is told.

    UID may be shortened to any unique beginning; `--match TEXT` finds the event by its words.
    """
    addresses = tuple(address for one in to for address in one.split(","))
    return run_wish(invocation, "forward", how, to=addresses)


def run_wish(invocation: Invocation, kind: str, how: dict[str, Any], **more: Any) -> int:
    """
    Show what a wish would do, and have it done.

    Args: how: what the options of `about_event` said. more: the other members of `Asked`.
    Raises: CommandError.
    """
    from syncd.shell.finding import Asked

    dry, yes, as_json = (how.pop(name) for name in ("dry", "yes", "as_json"))
    asked = Asked(kind=kind, **how, **more)
    if bool(asked.uid) == bool(asked.words):
        raise CommandError(
            "say which event is meant, once",
            hint="Write the beginning of its UID, or --match with words of it.",
        )
    return run(_carried_out(invocation.config(), asked, dry=dry, yes=yes, as_json=as_json))


async def _carried_out(config: Config, asked: Asked, *, dry: bool, yes: bool, as_json: bool) -> int:
    from syncd.shell.asking import plan_wish
    from syncd.shell.output import print_json, progress, say

    async with open_store(config) as store:
        planned = await plan_wish(config, store, asked)
    if not as_json:
        _print_effect(planned)
    if dry:
        if as_json:
            print_json(_to_json(planned, {"state": "dry-run", "reason": ""}))
        return 0
    if _is_asked_about(planned) and not confirmed("Do it?", yes=yes):
        say("Nothing was done.")
        return 0
    with progress("Sending it …"):
        done = await _done(config, asked, planned.exact)
    if as_json:
        print_json(_to_json(planned, done))
    return _told(done, quiet=as_json)


def _is_asked_about(planned: Planned) -> bool:
    """An answer that the policy lets go is not asked about; cancelling and forwarding always is."""
    wish = planned.wish
    return wish.kind in ("cancel", "forward") or wish.rule == "hold"


async def _done(config: Config, asked: Asked, exact: str) -> dict[str, Any]:
    import msgspec

    from syncd.shell.asking import wish_for
    from syncd.shell.output import log_fact

    request = {"do": "wish", "asked": msgspec.to_builtins(asked), "exact": exact}
    answer = await ask(config, request)
    if answer is not None:
        return answer
    outcome = await through_workshop(
        config, log_fact, lambda shop: wish_for(shop, asked, exact), patience_s=AT_A_TERMINAL_S
    )
    return outcome.as_json()


def _told(done: dict[str, Any], *, quiet: bool) -> int:
    from syncd.shell.output import say

    match done["state"]:
        case "sent":
            text = "Done."
        case "kept":
            text = f"It is kept and goes when the service can be reached. ({done['reason']})"
        case "doubt":
            text = "Its answer was lost; whether it arrived is being looked into (`syncd status`)."
        case _:
            raise CommandError(str(done["reason"]))
    if not quiet:
        say(text)
    return int(done["code"])


def _print_effect(planned: Planned) -> None:
    from syncd.core.wishes import word_of
    from syncd.shell.output import counted, say

    wish = planned.wish
    of = f", {planned.slot}" if planned.slot else ""
    where = f"{planned.calendar.account}/{planned.calendar.name}"
    say(f"{planned.summary or planned.uid}{of}  ({where})", "bold")
    said = word_of(wish.kind, wish.action)
    to = f"one mail each to {counted(len(wish.mails), 'person', 'people')}" if wish.mails else ""
    say(f"{said}: {to or 'nobody is mailed'}")
    for address in wish.mails:
        say(f"  {address}")
    if wish.noticed:
        say(f"  and its organizer, {wish.noticed}, is told")
    if comment := wish.body.get("comment"):
        say(f"  with the words: {comment}")
    if proposed := wish.body.get("proposedNewTime"):
        start, end = proposed["start"], proposed["end"]
        say(f"  proposed: {start['dateTime']} to {end['dateTime']} ({start['timeZone']})")
    if until := wish.body.get("newReminderTime"):
        say(f"  until {until['dateTime']} ({until['timeZone']})")


def _to_json(planned: Planned, done: dict[str, Any]) -> dict[str, Any]:
    wish = planned.wish
    return {
        "account": planned.calendar.account,
        "calendar": planned.calendar.name,
        "uid": planned.uid,
        "occurrence": planned.slot or None,
        "summary": planned.summary,
        "action": wish.action,
        "class": wish.mail_class or None,
        "to": list(wish.mails),
        "state": done["state"],
        "reason": done["reason"],
    }
