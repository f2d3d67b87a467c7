"""
`problems`, `approve`, `discard`: what waits for a person, and what they decide of it.

Knows how a problem reads and what each decision would do. What is decided is carried out by the
daemon or, where none is running, by this process; a decision counts only for what was shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from syncd.shell.commands.common import (
    Invocation,
    ask,
    confirmed,
    exit_of,
    json_option,
    open_store,
    pass_invocation,
    run,
    through_workshop,
    yes_option,
)
from syncd.shell.commands.completing import offering
from syncd.shell.commands.directory import dry_option

if TYPE_CHECKING:
    from syncd.core.state import Problem, VerdictKind
    from syncd.shell.config_model import Config
    from syncd.shell.workshop import Workshop

__all__ = ["approve_command", "discard_command", "problem_to_json", "problems_command"]


@click.group("problems", invoke_without_command=True)
@json_option
@click.pass_context
def problems_command(ctx: click.Context, as_json: bool) -> int:
    """List conflicts, unreadable files, holds and writes in doubt."""
    if ctx.invoked_subcommand is not None:
        return 0
    invocation: Invocation = ctx.obj
    return run(_list(invocation.config(), as_json=as_json))


async def _list(config: Config, *, as_json: bool) -> int:
    from syncd.shell.kept import open_matters
    from syncd.shell.output import print_json, say, table

    async with open_store(config) as store:
        problems = await open_matters(store)
    if as_json:
        print_json([problem_to_json(one) for one in problems])
    elif not problems:
        say("Nothing waits for you.")
    else:
        rows = [(one.id, _kind(one), _place(one), one.summary, one.reason) for one in problems]
        table(("id", "kind", "where", "item", "reason"), rows)
        say("`syncd problems show ID` tells what can be done about each.")
    return 0


def _kind(problem: Problem) -> str:
    from syncd.shell.kept import LISTED

    if problem.needs_person:
        return problem.kind
    return f"{problem.kind} ({'waits' if problem.code in LISTED else 'decided'})"


def _place(problem: Problem) -> str:
    parts = (problem.account, problem.calendar, problem.file)
    # The state itself has neither account nor calendar.
    place = "/".join(part for part in parts if part)
    return f"{place}:{problem.line}" if problem.line else place


def problem_to_json(problem: Problem) -> dict[str, Any]:
    """A problem as programs read it; for held mail also `class` and `to`, for lists `items`."""
    told: dict[str, Any] = {
        "id": problem.id,
        "kind": problem.kind,
        "needs_person": problem.needs_person,
        "account": problem.account,
        "calendar": problem.calendar,
        "file": problem.file,
        "uid": problem.uid,
        "summary": problem.summary,
        "code": problem.code,
        "line": problem.line,
        "reason": problem.reason,
        "hint": problem.hint,
        "since": problem.since,
        "fields": list(problem.fields),
        "base": problem.base,
        "local": problem.local,
        "remote": problem.remote,
    }
    if problem.kind == "held-mail":
        told |= {"class": problem.mail_class, "to": list(problem.to)}
    elif problem.items:
        told["items"] = [dict(one) for one in problem.items]
    return told


@problems_command.command("show")
@click.argument("problem_id", metavar="ID", shell_complete=offering("problem"))
@json_option
@pass_invocation
def show_command(invocation: Invocation, problem_id: str, as_json: bool) -> int:
    """Show one problem in full, and what can be done about it."""
    return run(_show(invocation.config(), problem_id, as_json=as_json))


async def _show(config: Config, problem_id: str, *, as_json: bool) -> int:
    from syncd.shell.output import print_json

    problem = await _found(config, problem_id)
    if as_json:
        print_json(problem_to_json(problem))
    else:
        _print_problem(problem)
    return 0


async def _found(config: Config, problem_id: str) -> Problem:
    from syncd.shell.actions import find_problem

    async with open_store(config) as store:
        _, problem = await find_problem(store, problem_id)
    return problem


_PLACEHOLDER = re.compile(r"(?<![\w-])ID(?![\w-])")
"""Where a hint speaks of the problem's id, and not of a RECURRENCE-ID."""


def _print_problem(problem: Problem) -> None:
    from syncd.shell.output import say, table

    say(f"{problem.id}  {_kind(problem)}  {problem.summary}".rstrip(), "bold")
    for name, value in _details(problem):
        say(f"  {name + ':':<9} {value}")
    for line in _effects(problem):
        say(f"    {line}")
    if problem.kind == "conflict":
        table(("", "before", "local", "remote"), _side_by_side(problem))
    if problem.hint:
        say(f"  {_PLACEHOLDER.sub(problem.id, problem.hint)}", "green")


def _details(problem: Problem) -> Iterator[tuple[str, str]]:
    yield "where", _place(problem)
    yield "reason", problem.reason
    yield "since", problem.since.strftime("%Y-%m-%d %H:%M UTC")
    if problem.uid:
        yield "uid", problem.uid
    if problem.fields:
        yield "fields", ", ".join(problem.fields)


def _side_by_side(problem: Problem) -> Iterator[tuple[str, str, str, str]]:
    """The parts of a field in which the versions differ: before, in the file, on the service."""
    name = problem.fields[0] if problem.fields else ""
    values = (problem.base, problem.local, problem.remote)
    parts = [value if isinstance(value, dict) else {"": value} for value in values]
    for part in dict.fromkeys(key for one in parts for key in one):
        cells = [_shown(one.get(part)) for one in parts]
        if len(set(cells)) > 1:
            yield f"{name} {part}".strip(), cells[0], cells[1], cells[2]


def _shown(value: object) -> str:
    import json

    match value:
        case None:
            return "-"
        case str():
            return value
        case list():
            return ", ".join(_shown(one) for one in value) or "-"
        case {"address": address, **rest}:
            return " ".join([str(address), *(str(one) for one in rest.values() if one)])
        case _:
            return json.dumps(value, ensure_ascii=False, default=str)


def _effects(problem: Problem) -> list[str]:
    """Item by item, what would come of a decision."""
    if not problem.items:
        return [f"{problem.mail_class or 'mail'} to {address}" for address in problem.to]
    return [_effect(one) for one in problem.items]


def _effect(one: Mapping[str, str]) -> str:
    if "mail" not in one:
        return f"{one.get('summary') or '(no subject)'}  {one.get('file') or one.get('uid', '')}"
    times = f", {one['mails']} times" if one["mails"] != "1" else ""
    return f"{one['mail']} to {one['to']}{times}"


# --- decisions -----------------------------------------------------------------------------------


@problems_command.command("resolve")
@click.argument("problem_id", metavar="ID", shell_complete=offering("problem"))
@click.option(
    "--take",
    type=click.Choice(("local", "remote", "both")),
    required=True,
    help="Which version counts; both makes the local one a second event without attendees.",
)
@dry_option
@pass_invocation
def resolve_command(
    invocation: Invocation, problem_id: str, take: VerdictKind, dry_run: bool
) -> int:
    """Decide a conflict."""
    return run(_decide(invocation.config(), problem_id, take, dry_run=dry_run, yes=True))


@click.command("approve")
@click.argument("problem_id", metavar="ID", shell_complete=offering("problem"))
@dry_option
@yes_option
@pass_invocation
def approve_command(invocation: Invocation, problem_id: str, dry_run: bool, yes: bool) -> int:
    """Let something that is held happen, exactly as it is listed."""
    return run(_decide(invocation.config(), problem_id, "approved", dry_run=dry_run, yes=yes))


@click.command("discard")
@click.argument("problem_id", metavar="ID", shell_complete=offering("problem"))
@dry_option
@yes_option
@pass_invocation
def discard_command(invocation: Invocation, problem_id: str, dry_run: bool, yes: bool) -> int:
    """Take something that is held back; deletions are undone."""
    return run(_decide(invocation.config(), problem_id, "discarded", dry_run=dry_run, yes=yes))


async def _decide(
    config: Config, written: str, kind: VerdictKind, *, dry_run: bool, yes: bool
) -> int:
    from syncd.shell.actions import check_decision
    from syncd.shell.commands.sync import print_reports
    from syncd.shell.output import progress, say

    problem = await _found(config, written)
    check_decision(problem, kind)
    _print_effect(problem, kind)
    if dry_run or not confirmed("Do it?", yes=yes):
        say("Nothing was done.")
        return 0
    with progress("Doing it …") as observe:
        request = {"do": "verdict", "problem": problem.id, "kind": kind, "exact": problem.exact}
        answer = await ask(config, request)
        if answer is None:
            answer = await through_workshop(
                config, observe, lambda shop: _decided(shop, problem, kind)
            )
    if answer["reports"]:
        print_reports(answer["reports"])
    return exit_of(answer["exit"])


async def _decided(workshop: Workshop, problem: Problem, kind: VerdictKind) -> dict[str, Any]:
    from syncd.shell.actions import decide_problem, reports_to_json
    from syncd.shell.mailbox import exit_code

    reports = await decide_problem(workshop, problem.id, kind, problem.exact)
    return {"exit": int(exit_code(reports, held=0)), "reports": reports_to_json(reports)}


_EFFECTS = {
    ("held-mail", "approved"): "The service mails",
    ("held-mail", "discarded"): "Nobody is mailed, and the change is taken back. This was:",
    ("local-deletions", "approved"): "These are deleted from the service:",
    ("local-deletions", "discarded"): "These files are written again:",
    ("remote-deletions", "approved"): "These files are removed:",
    ("remote-deletions", "discarded"): "These files stay, and are local-only from now on:",
    ("held-import", "approved"): "These are created on the service:",
    ("held-import", "discarded"): "These files stay, and are local-only from now on:",
    ("in-doubt", "approved"): "It is sent again.",
    ("in-doubt", "discarded"): "It counts as sent, and is not sent again.",
    ("folder", "approved"): "A new folder is filled from the service; nothing is deleted.",
    ("gone-or-new", "local"): "The file's event is created on the service.",
    ("kept-wish", "discarded"): "It is not sent.",
    ("asked-in-doubt", "discarded"): "It is not looked for any more; it may have been done.",
    ("conflict", "local"): "The version of the file goes to the service.",
    ("conflict", "remote"): "The version of the service goes to the file.",
    ("conflict", "both"): (
        "The version of the service goes to the file; the file's version becomes a second event "
        "with a new UID and no attendees."
    ),
}


def _taken_back(winner: str, kind: str) -> str | None:
    """What comes of deciding anew what the policy had decided; None where that stays as it is."""
    if kind == winner:
        return None
    if kind == "both":
        return "The value that was put aside becomes a second event with a new UID, no attendees."
    return "The value that was put aside comes back into the file, and from there to the service."


def _print_effect(problem: Problem, kind: str) -> None:
    from syncd.shell.kept import LISTED
    from syncd.shell.output import say

    say(f"{_place(problem)}  {problem.summary}".rstrip(), "bold")
    say(problem.reason)
    effect = _EFFECTS.get((problem.kind, kind)) or _EFFECTS.get((problem.code, kind))
    if problem.lost is not None and kind != "discarded":
        effect = _taken_back(problem.lost.winner, kind)
    elif not problem.needs_person and problem.code not in LISTED:
        effect = None
    say(effect or "It is taken off the list.")
    for line in _effects(problem):
        say(f"  {line}")
