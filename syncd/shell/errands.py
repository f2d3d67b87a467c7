"""
What people ask of a mailbox beside its events: journaled, sent once, and kept where it cannot be.

An errand is durable before it leaves. One that cannot leave waits for the service; one whose answer
got lost is settled by looking, and never sent again; one that cannot be any more is listed and not
done. Whoever keeps the account in step takes them up: the daemon, or the next sync.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, assert_never

import msgspec

from syncd.core.errors import (
    OUT_OF_REACH,
    CommandError,
    ExitCode,
    LoginNeeded,
    SyncdError,
)
from syncd.core.ids import AccountName
from syncd.core.state import CalendarKey, Errand, ErrandKind, PutProblems
from syncd.ports import Answered, Lost, Unsent
from syncd.shell.attaching import change_attachments
from syncd.shell.attachments import Change, PassingRefusal, Told, tell_nothing
from syncd.shell.directory_changes import (
    Deed,
    Desk,
    Idle,
    decide,
    desk_of,
    foreseen,
    took_effect,
)
from syncd.shell.directory_wishes import (
    OfCalendar,
    Wish,
    names_moved,
    read_wish,
    wish_of,
    wish_to_json,
)
from syncd.shell.kept import errand_notice
from syncd.shell.uploading import read_source
from syncd.shell.workshop import Workshop
from syncd.store.uploads import Busy

__all__ = [
    "CarriedOut",
    "InDoubt",
    "attach",
    "carry_out_errands",
    "change_directory",
    "end_dependents",
]

IN_DOUBT_FOR: Final = timedelta(minutes=2)
"""So long after a request got lost, it may still take effect."""

TRIED_FOR: Final = timedelta(minutes=10)
"""So long what refuses a change of attachments may pass by itself."""


class InDoubt(SyncdError):
    """The answer to a write was lost, and looking does not show what became of it yet."""

    exit_code = ExitCode.PASSES


class _NotDone(CommandError):
    """The answer to a write was lost, and by now it would be seen if it had taken effect."""


@dataclass(frozen=True, slots=True)
class _Done:
    """What came of one: sentences, and the folder that has to be looked at, or ""."""

    done: str
    told: tuple[str, ...] = ()
    folder: str = ""


@dataclass(slots=True)
class CarriedOut:
    """
    What came of several: how many are over, what the first that is not has against it.

    `folders` have to be looked at.
    """

    count: int = 0
    trouble: SyncdError | None = None
    folders: set[str] = field(default_factory=set)


# --- asked for now -------------------------------------------------------------------------------


async def change_directory(
    workshop: Workshop, account: str, told: Mapping[str, Any]
) -> dict[str, Any]:
    """
    Fulfil a wish, in a process that may write; keep it where the service cannot be reached.

    What was asked for earlier and waits goes before it: it may build on that.

    Args: told: the wish as `wish_to_json` has it.
    Returns: `{state, done, told, folder, reason, code}`: "done" or "kept", sentences, the folder
    that has to be looked at, or "", and what the command ends with.
    Raises: CommandError: it cannot be, or the service refused. InDoubt. SyncdError.
    """
    wish = read_wish(told)
    attempt = (await foreseen(workshop, account, wish)).attempt
    errand, is_new = await _journaled(workshop, account, "directory", _encoded(wish), attempt)
    waiting = await workshop.store.errands(errand.account)
    same = [one for one in waiting if _thing(one) == _thing(errand)]
    before = await _carried_out(workshop, [one for one in same if one.number < errand.number])
    if before.trouble is not None:
        if before.trouble.exit_code not in (ExitCode.PASSES, ExitCode.LOGIN):
            await workshop.store.end_errand(errand.number)
            raise before.trouble
        return await _kept(workshop, errand, wish, before.trouble)
    try:
        done = await _now(workshop, errand)
    except OUT_OF_REACH as error:
        return await _kept(workshop, errand, wish, error)
    except InDoubt:
        raise
    except SyncdError as error:
        if is_new or isinstance(error, CommandError):
            await workshop.store.end_errand(errand.number)
        raise
    return {
        "state": "done",
        "done": done.done,
        "told": list(done.told),
        "folder": done.folder,
        "reason": "",
        "code": int(ExitCode.OK),
    }


async def _now(workshop: Workshop, errand: Errand) -> _Done:
    """Where an earlier command tried it, and it is not to be seen, it is asked for anew."""
    try:
        return await _directory(workshop, errand)
    except _NotDone:
        if errand.state == "ready":
            raise
    anew = replace(errand, state="ready", decided=b"", left_at=None)
    await workshop.store.put_errand(anew)
    return await _directory(workshop, anew)


async def _kept(
    workshop: Workshop, errand: Errand, wish: Wish, error: SyncdError
) -> dict[str, Any]:
    """It waits, about the very calendar that has the name now."""
    seen = await foreseen(workshop, errand.account, wish, before=errand.number)
    if not errand.decided:
        named = replace(errand, decided=_encoded(seen.wish), attempt=seen.attempt)
        await workshop.store.put_errand(named)
    return _as_kept(seen.attempt, error)


def _as_kept(attempt: str, error: SyncdError) -> dict[str, Any]:
    code = ExitCode.LOGIN if isinstance(error, LoginNeeded) else ExitCode.OK
    return {
        "state": "kept",
        "done": f"Kept for later, by the daemon or the next sync: {attempt}. ({error})",
        "told": [],
        "folder": "",
        "reason": str(error),
        "code": int(code),
    }


async def attach(workshop: Workshop, wanted: Change, told: Told = tell_nothing) -> dict[str, Any]:
    """
    Carry out a change of attachments; keep it where the service cannot be reached.

    Returns: as `change_attachments`, or `{state: "kept", reason, code}`.
    Raises: SyncdError: what stands in the way, and does not pass by itself.
    """
    asked = _asked(wanted)
    try:
        done = await change_attachments(workshop, wanted, told)
    except OUT_OF_REACH as error:
        if asked is None:
            raise
        attempt = _attempt(wanted)
        await _journaled(workshop, wanted.account, "attachment", asked, attempt)
        return _as_kept(attempt, error)
    for one in await workshop.store.errands(AccountName(wanted.account)):
        if one.asked == asked:
            await workshop.store.end_errand(one.number)
    return done


def _asked(wanted: Change) -> bytes | None:
    """As it is journaled; None where the file's path is no text."""
    try:
        return msgspec.json.encode(wanted)
    except UnicodeEncodeError:
        return None


def _attempt(wanted: Change) -> str:
    match wanted.kind:
        case "add":
            return f"attach {wanted.name!r} to {wanted.title or 'an event'}"
        case "rm":
            return f"remove {wanted.name!r} from {wanted.title or 'an event'}"
        case _:
            assert_never(wanted.kind)


async def _journaled(
    workshop: Workshop, account: str, kind: ErrandKind, asked: bytes, attempt: str
) -> tuple[Errand, bool]:
    """
    The errand, and whether it is a new one.

    What was asked for last in the very same way is the same; so is what was to be made and nobody
    knows yet whether it was: it could be there twice.
    """
    name, now = AccountName(account), workshop.clock.now()
    fresh = Errand(0, name, kind, asked, attempt, "ready", now)
    there = [one for one in await workshop.store.errands(name) if _thing(one) == _thing(fresh)]
    for number, one in enumerate(there, 1):
        makes = one.state != "ready" and b'"type":"create-' in asked
        if one.asked == asked and (makes or number == len(there)):
            return one, False
    return await workshop.store.new_errand(fresh), True


def _thing(errand: Errand) -> str:
    """What errands build upon each other about: an event, the categories, or all calendars."""
    if errand.kind == "attachment":
        return msgspec.json.decode(errand.asked, type=Change).event
    tag = str(msgspec.json.decode(errand.asked, type=dict[str, Any])["type"])
    return "categories" if tag.endswith("-category") else "calendars"


def _encoded(wish: Wish) -> bytes:
    return msgspec.json.encode(wish_to_json(wish))


# --- taken up later ------------------------------------------------------------------------------


async def carry_out_errands(
    workshop: Workshop, account: AccountName, kinds: Collection[ErrandKind]
) -> CarriedOut:
    """
    Do what waits, oldest first; what cannot be done yet holds up what may build on it.

    What cannot be any more is listed as a problem that needs nobody.
    """
    waiting = [one for one in await workshop.store.errands(account) if one.kind in kinds]
    return await _carried_out(workshop, waiting)


async def _carried_out(workshop: Workshop, waiting: Sequence[Errand]) -> CarriedOut:
    came, held, over = CarriedOut(), set[str](), set[int]()
    for errand in waiting:
        if errand.number in over or _thing(errand) in held:
            continue
        try:
            done = await _one(workshop, errand)
        except SyncdError as error:
            if isinstance(error, Busy) or not isinstance(error, CommandError):
                came.trouble = came.trouble or error
                held.add(_thing(errand))
                if isinstance(error, OUT_OF_REACH):
                    break
                continue
            await _tell(workshop, errand, error)
            over |= await end_dependents(workshop, errand)
        else:
            came.folders |= {done.folder}
        came.count += 1
    return came


async def _one(workshop: Workshop, errand: Errand) -> _Done:
    match errand.kind:
        case "directory":
            return await _directory(workshop, errand)
        case "attachment":
            return await _attachment(workshop, errand)
        case _:
            assert_never(errand.kind)


async def _attachment(workshop: Workshop, errand: Errand) -> _Done:
    """A file's way is journaled by itself: it is gone as often as it takes."""
    wanted = msgspec.json.decode(errand.asked, type=Change)
    if wanted.sha256 and (await read_source(Path(wanted.path))).sha256 != wanted.sha256:
        raise CommandError(f"{wanted.path!r} changed since it was to be attached")
    begun = replace(errand, state="sent", left_at=errand.left_at or workshop.clock.now())
    if not await workshop.store.put_errand(begun):
        return _Done("It was taken back just now.")
    try:
        await change_attachments(workshop, wanted, tried=True)
    except PassingRefusal as error:
        # Another copy of the mailbox may have what this one does not find.
        assert begun.left_at is not None
        if not timedelta() <= workshop.clock.now() - begun.left_at < TRIED_FOR:
            raise
        await workshop.store.put_errand(replace(begun, state="ready"))
        raise InDoubt(str(error), hint=error.hint) from error
    except SyncdError:
        await workshop.store.put_errand(replace(begun, state="ready", left_at=errand.left_at))
        raise
    await workshop.store.end_errand(errand.number)
    return _Done("")


async def end_dependents(workshop: Workshop, gone: Errand) -> set[int]:
    """
    End what was asked for later of a calendar by a name that one would have given or taken.

    Returns: the numbers of what is over by it.
    """
    if _thing(gone) != "calendars":
        return set()
    known = {str(one.id): one.name for one in await workshop.store.calendars(gone.account)}
    names, over = names_moved(wish_of(gone), known), set[int]()
    for one in await workshop.store.errands(gone.account):
        if one.number < gone.number or _thing(one) != "calendars":
            continue
        wish = wish_of(one)
        if isinstance(wish, OfCalendar) and wish.calendar in names:
            why = f"it was about what was to be so after this, which is not: {gone.attempt}"
            await _tell(workshop, one, CommandError(why))
            names |= names_moved(wish, known)
            over.add(one.number)
    return over


async def _tell(workshop: Workshop, errand: Errand, error: SyncdError) -> None:
    """On the list instead of being done."""
    problem = errand_notice(
        errand,
        "not-done",
        f"account {errand.account!r}: to {errand.attempt} was asked for, and is not done: {error}",
        "Give the command again if you mean it; `syncd discard ID` takes this off the list.",
        workshop.clock.now(),
    )
    subject = f"*errand {errand.number}"
    await workshop.store.commit(CalendarKey(0), [PutProblems(subject, (problem,))])
    await workshop.store.end_errand(errand.number)


# --- calendars, groups, shares, categories -------------------------------------------------------


async def _directory(workshop: Workshop, errand: Errand) -> _Done:
    desk = await desk_of(workshop, errand.account)
    wish = wish_of(errand)
    if errand.state != "ready":
        return await _looked_for(desk, errand, wish)
    deed = await decide(desk, wish)
    if isinstance(deed, Idle):
        await workshop.store.end_errand(errand.number)
        return _Done(deed.done)
    leaving = replace(
        errand,
        decided=_encoded(deed.wish),
        attempt=deed.attempt,
        state="sent",
        left_at=workshop.clock.now(),
        before=deed.before,
    )
    if deed.of_calendars:
        # Before anything is sent: whatever comes between, the next round asks for the calendars.
        await _list_due(desk)
    if not await workshop.store.put_errand(leaving):
        return _Done("It was taken back just now.")
    await _send(desk, leaving, deed)
    await workshop.store.end_errand(errand.number)
    if deed.of_calendars:
        with suppress(SyncdError):
            await _list_again(desk)
    return _Done(deed.done, deed.told, deed.folder)


async def _send(desk: Desk, errand: Errand, deed: Deed) -> None:
    store = desk.workshop.store
    (outcome,) = await desk.directory.remote.write_all([deed.request])
    match outcome:
        case Answered(answer):
            if not answer.is_success:
                raise desk.directory.refused(deed.attempt, answer, deed.scope)
        case Unsent(error):
            await store.put_errand(replace(errand, state="ready", left_at=None))
            raise error
        case Lost(why):
            doubtful = replace(errand, state="doubt", left_at=desk.workshop.clock.now())
            await store.put_errand(doubtful)
            await _settle(desk, doubtful, deed.wish, why)
        case _:
            assert_never(outcome)


async def _looked_for(desk: Desk, errand: Errand, wish: Wish) -> _Done:
    """One that left before, and of which nobody heard."""
    await _settle(desk, errand, wish, "whoever asked was stopped")
    await desk.workshop.store.end_errand(errand.number)
    with suppress(SyncdError):
        await _list_again(desk)
    return _Done(f"It was attempted to {errand.attempt}, and it is so.")


async def _settle(desk: Desk, errand: Errand, wish: Wish, why: str) -> None:
    """Look whether a write took effect. Raises: InDoubt: it cannot be seen yet. _NotDone."""
    attempted = f"it was attempted to {errand.attempt}, and the answer was lost ({why})"
    hint = "It is looked for again in a while; look whether it is so before you try again."
    seen = "nothing of it is to be seen"
    try:
        if await took_effect(desk, wish, errand.before):
            return
    except CommandError as error:
        seen = str(error)
    except SyncdError as error:
        raise InDoubt(f"{attempted}; looking failed as well: {error}", hint=hint) from error
    if await _is_young(desk, errand):
        raise InDoubt(f"{attempted}; {seen}", hint=hint)
    raise _NotDone(f"{attempted}; {seen}")


async def _is_young(desk: Desk, errand: Errand) -> bool:
    """Whether it may take effect yet. A clock that was set back tells nothing: it starts anew."""
    now = desk.workshop.clock.now()
    age = now - (errand.left_at or errand.since)
    if age < timedelta():
        await desk.workshop.store.put_errand(replace(errand, left_at=now))
    return age < IN_DOUBT_FOR


async def _list_again(desk: Desk) -> None:
    await desk.mailbox.refresh(force=False)
    # Once more soon: Graph's list may lag behind, and ids of new calendars were seen to change.
    await _list_due(desk)


async def _list_due(desk: Desk) -> None:
    """The list of calendars is to be asked for again at the next occasion."""
    store = desk.workshop.store
    known = await store.account(desk.account.name)
    if known is not None:
        await store.put_account(replace(known, listed_at=None))
