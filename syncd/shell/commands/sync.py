"""
`sync`: rounds until nothing is left to do, by the daemon or by this process; and what it would do.

Knows how reports and plans are printed. Decides nothing and writes nothing by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from syncd.shell.commands.common import (
    PATIENCE_S,
    Invocation,
    ask,
    json_option,
    open_store,
    pass_invocation,
    run,
    through_workshop,
)
from syncd.shell.commands.completing import offering

if TYPE_CHECKING:
    from syncd.core.plan import ItemPlan, Write
    from syncd.core.state import Problem
    from syncd.shell.config_model import Config
    from syncd.shell.kept import Kept
    from syncd.shell.mailbox import CalendarReport
    from syncd.shell.workshop import Workshop

__all__ = ["print_reports", "sync_command"]

DONE = {
    "pulled": "received",
    "files_written": "files written",
    "files_removed": "files removed",
    "created": "created",
    "updated": "updated",
    "deleted": "deleted",
    "answered": "answered",
    "in_doubt": "in doubt",
    "refused": "refused",
    "drift": "put right",
}
"""How the counts of a round are called; what is held is told by the problems."""

SHOWN_PROBLEMS = 10


@click.command("sync")
@click.argument(
    "targets", nargs=-1, metavar="[ACCOUNT[/CALENDAR]]...", shell_complete=offering("calendar")
)
@click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing.")
@json_option
@pass_invocation
def sync_command(
    invocation: Invocation, targets: tuple[str, ...], dry_run: bool, as_json: bool
) -> int:
    """
    Bring folders and calendars in step, then exit.

    Exit codes: 0 in sync, 2 wrong usage, 3 login needed, 4 something waits for a person (see
    `syncd problems`), 5 try later.
    """
    config = invocation.config()
    if dry_run:
        return run(_dry(config, targets, as_json=as_json))
    return run(_sync(config, targets, as_json=as_json))


async def _sync(config: Config, targets: Sequence[str], *, as_json: bool) -> int:
    from syncd.shell.output import print_json, progress

    with progress("Syncing …") as observe:
        answer = await ask(config, {"do": "sync", "targets": list(targets)})
        if answer is None:
            answer = await through_workshop(config, observe, lambda shop: _here(shop, targets))
    async with open_store(config) as store:
        waiting = [one for one in await store.problems() if one.needs_person]
    if as_json:
        print_json({"exit": answer["exit"], "reports": answer["reports"]})
        return int(answer["exit"])
    print_reports(answer["reports"])
    _print_waiting(waiting)
    return int(answer["exit"])


async def _here(workshop: Workshop, targets: Sequence[str]) -> dict[str, Any]:
    """The sync in this process, with the answer that a daemon would give."""
    from syncd.round.desk import Counts
    from syncd.shell.actions import (
        held_count,
        reports_to_json,
        sync_now,
        take_up_words,
        tidy_history,
    )
    from syncd.shell.errands import carry_out_errands
    from syncd.shell.mailbox import CalendarReport, exit_code

    reports = await sync_now(workshop, targets)
    for account in sorted({one.account for one in reports if one.trouble is None}):
        done = await carry_out_errands(workshop, account, {"attachment"})
        if done.trouble is not None:
            reports.append(CalendarReport(account, "", Counts(), done.trouble))
    await tidy_history(workshop)
    await take_up_words(workshop.store)
    code = exit_code(reports, held=await held_count(workshop.store))
    return {"exit": int(code), "reports": reports_to_json(reports)}


def print_reports(reports: Iterable[Mapping[str, Any]]) -> None:
    """One line for each calendar, and the remedy of each failure once."""
    from syncd.shell.output import say, table, tell

    rows = list(reports)
    if not rows:
        say("There is no calendar to sync.")
        return
    table(
        ("account", "calendar", "what was done"),
        [(one["account"], one["calendar"], _done(one)) for one in rows],
    )
    for hint in dict.fromkeys(one["hint"] for one in rows if one["error"] and one["hint"]):
        tell(hint)


def _done(report: Mapping[str, Any]) -> str:
    told = [f"{n} {DONE[name]}" for name, n in report["counts"].items() if n and name in DONE]
    if report.get("waiting"):
        told.append(f"{report['waiting']} still unanswered")
    if report["error"]:
        told.insert(0, f"failed: {report['error']}")
    return ", ".join(told) or "in sync"


def _print_waiting(waiting: Sequence[Problem]) -> None:
    """The first few problems that wait for a person, and what to do."""
    from syncd.shell.output import counted, say, table

    if not waiting:
        return
    verb = "waits" if len(waiting) == 1 else "wait"
    say()
    say(f"{counted(len(waiting), 'thing')} {verb} for you:", "bold yellow")
    shown = waiting[:SHOWN_PROBLEMS]
    rows = [(one.id, one.summary or one.file or one.calendar, one.reason) for one in shown]
    table(("id", "item", "reason"), rows)
    if len(waiting) > len(shown):
        say(f"… and {len(waiting) - len(shown)} more.")
    say("`syncd problems show ID` tells what can be done about each.")


# --- what a sync would do ------------------------------------------------------------------------

_Step = tuple[str, str, str, str]
"""What, where, which item, who gets mail."""


async def _dry(config: Config, targets: Sequence[str], *, as_json: bool) -> int:
    from syncd.shell.actions import parse_targets
    from syncd.shell.kept import kept_errands, kept_wishes
    from syncd.shell.mailbox import exit_code
    from syncd.shell.output import print_json, progress, say
    from syncd.shell.workshop import Workshop

    with progress("Looking …") as observe:
        async with Workshop.open(config, observe, patience_s=PATIENCE_S, dry=True) as workshop:
            reports = await _planned(workshop, targets)
            kept = await kept_wishes(workshop.store)
            named = {one.account for one in parse_targets(targets, workshop.mailboxes)}
            waiting = (await kept_errands(workshop.store)).values()
            errands = [one for one in waiting if one.account in named]
    if as_json:
        told = [_plans_to_json(one, kept) for one in reports]
        print_json([*(_errand_to_json(one) for one in errands), *told])
    else:
        for errand in errands:
            say(f"{errand.account}: {errand.summary}", "bold")
        for report in reports:
            _print_plans(report, kept)
    held = sum(
        problem.needs_person for one in reports for plan in one.plans for problem in plan.problems
    )
    return exit_code(reports, held=held)


async def _planned(workshop: Workshop, targets: Sequence[str]) -> list[CalendarReport]:
    from syncd.shell.actions import calendars_of, parse_targets

    wanted = parse_targets(targets, workshop.mailboxes)
    reports: list[CalendarReport] = []
    for work in await calendars_of(workshop, wanted, force_list=True):
        reports += work.failed
        if work.calendars:
            reports += await work.mailbox.dry_run(work.calendars)
    return reports


def _print_plans(report: CalendarReport, kept: Sequence[Kept]) -> None:
    from syncd.shell.output import say, table

    say(f"{report.account}/{report.calendar}", "bold")
    if report.trouble is not None:
        say(f"  failed: {report.trouble}", "red")
        return
    rows = [("", *step) for _, step in _all_steps(report, kept)]
    if not rows:
        say("  nothing to do")
        return
    table(("", "what", "where", "item", "mails"), rows)


def _all_steps(report: CalendarReport, kept: Sequence[Kept]) -> list[tuple[str, _Step]]:
    """Each with its UID; what was asked for goes last."""
    steps = [(str(plan.uid), step) for plan in report.plans for step in _steps(plan)]
    for one in kept:
        problem, entry = one.problem, one.entry
        if (problem.account, problem.calendar) == (report.account, report.calendar):
            mails = f"{entry.mail_kind} to {', '.join(entry.mails)}" if entry.mails else ""
            of = f" of {entry.slot}" if entry.slot else ""
            steps.append((entry.uid, (f"{one.word}{of}", "service", problem.summary, mails)))
    return steps


def _steps(plan: ItemPlan) -> list[_Step]:
    """What would be done about one item."""
    item = _summary(plan)
    steps = [(_written(write), "service", item, _mails(write)) for write in plan.writes]
    steps += [(f"detach {one.name}", "service", item, "") for one in plan.detached]
    if plan.file is not None:
        what = "remove file" if plan.file.data is None else "write file"
        steps.append((what, str(plan.file.name), item, ""))
    steps += [
        (f"hold: {one.reason}", one.kind, item, "") for one in plan.problems if one.needs_person
    ]
    return steps


def _written(write: Write) -> str:
    from syncd.core.wire.graph import sent_stash

    if write.kind == "attach":
        return f"attach {write.body['name']}"
    names = sorted({key.name for key in write.keys})
    if write.kind == "patch" and sent_stash(write.body) is not None:
        names.append("lines that Outlook cannot hold")
    fields = ", ".join(names)
    slot = f" of {write.slot}" if write.slot else ""
    what = write.action or write.kind
    return f"{what}{slot}: {fields}" if fields else f"{what}{slot}"


def _mails(write: Write) -> str:
    if write.mailing is None:
        return ""
    return f"{write.mailing.kind} to {', '.join(write.mailing.to)}"


def _summary(plan: ItemPlan) -> str:
    sides, known = plan.sides, plan.sides.known
    file = getattr(sides.local, "file", None)
    for item in (
        file.item if file is not None else None,
        sides.remote.item if sides.remote is not None else None,
        known.base_local if known is not None else None,
    ):
        if item is not None:
            return str(item.master.subject)
    return str(plan.uid)


def _errand_to_json(errand: Problem) -> dict[str, Any]:
    """What was asked of the mailbox as a whole, and goes first."""
    step = {"uid": "", "what": errand.summary, "where": "service", "summary": "", "mails": ""}
    return {"account": errand.account, "calendar": "", "error": None, "plan": [step]}


def _plans_to_json(report: CalendarReport, kept: Sequence[Kept]) -> dict[str, Any]:
    return {
        "account": report.account,
        "calendar": report.calendar,
        "error": str(report.trouble) if report.trouble is not None else None,
        "plan": [
            {"uid": uid, "what": what, "where": where, "summary": item, "mails": mails}
            for uid, (what, where, item, mails) in _all_steps(report, kept)
        ],
    }
