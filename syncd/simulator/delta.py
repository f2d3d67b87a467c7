"""
Delta rounds over one calendar and one frozen window.

Knows which rows a change makes and how pages are cut: a series is never split, a token is bound
to its calendar and window and can be fetched again, a deleted occurrence shows nothing.
Refuses to know HTTP: tokens and rows in, links are the skin's business.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from syncd.simulator.errors import ServiceError
from syncd.simulator.journal import Change
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.model import Event, Item, Window
from syncd.simulator.switches import Switches

__all__ = ["DeltaRounds", "Page", "Removed", "Row", "State"]


@dataclass(frozen=True, slots=True)
class Removed:
    """An `@removed` row. Args: both forms of the id that left."""

    default_id: str
    immutable_id: str


Row = Event | Removed
Group = tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class State:
    """
    What a token stands for.

    Args:
        groups: rows still to send, a series in one group; None when the round was finished.
        position: how far the journal was read when the round began.
        endless: every page is the first one again.
    """

    calendar: str
    window: Window
    position: int
    groups: tuple[Group, ...] | None = None
    at: int = 0
    last: Row | None = None
    endless: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Rows and the token of the link that follows. Args: more: it is a nextLink's."""

    rows: Sequence[Row]
    token: str
    more: bool


@dataclass(slots=True)
class DeltaRounds:
    """All rounds of one mailbox. Args: known: states by token, oldest first."""

    mailbox: Mailbox
    known: OrderedDict[str, State] = field(default_factory=OrderedDict)

    def start(self, calendar: str, window: Window, switches: Switches, size: int) -> Page:
        """Begin a round on a window. Raises: ServiceError: 404 for an unknown calendar."""
        groups = tuple(self._all(calendar, window))
        state = State(calendar, window, self.mailbox.journal.position, groups)
        if switches.empty_first_page:
            return Page((), self._keep(state, switches), more=True)
        return self._page(state, switches, size)

    def resume(self, token: str, calendar: str, switches: Switches, size: int) -> Page:
        """
        Go on from a link.

        Raises: ServiceError: 410 SyncStateNotFound for a token unknown, expired, or of another
            calendar.
        """
        state = self.known.get(token)
        if state is None or state.calendar != calendar:
            raise sync_state_not_found(token)
        if state.groups is None:
            state = self._next_round(state, switches)
            if switches.empty_first_page and state.groups:
                return Page((), self._keep(state, switches), more=True)
        return self._page(state, switches, size)

    def make_endless(self, page: Page, switches: Switches) -> Page:
        """Return the same page with a nextLink that leads to it for ever."""
        state = self.known[page.token]
        again = replace(state, groups=(tuple(page.rows),), at=0, last=None, endless=True)
        return Page(page.rows, self._keep(again, switches), more=True)

    def forget(self) -> None:
        """Let every token die."""
        self.known.clear()

    def _next_round(self, state: State, switches: Switches) -> State:
        changed = self.mailbox.journal.since(state.position, state.calendar)
        groups = (
            tuple(self._changed(item, changes, state, switches))
            for item, changes in changed.items()
        )
        return replace(
            state,
            position=self.mailbox.journal.position,
            groups=tuple(group for group in groups if group),
            at=0,
            last=None,
        )

    def _all(self, calendar: str, window: Window) -> Iterator[Group]:
        for item in self.mailbox.items(calendar):
            if group := tuple(_whole(item, window)):
                yield group

    @staticmethod
    def _changed(
        item: Item, changes: Sequence[Change], state: State, switches: Switches
    ) -> Iterator[Row]:
        gone = changes[-1].what == "gone" or not item.alive or item.calendar != state.calendar
        if gone:
            yield from _gone(item, changes, state.window, switches)
        elif item.recurrence is None:
            yield from _single(item, state.window)
        else:
            yield from _series(item, changes, state.window, switches)

    def _page(self, state: State, switches: Switches, size: int) -> Page:
        assert state.groups is not None
        rows: list[Row] = []
        if switches.repeat_rows and state.last is not None:
            rows.append(state.last)
        at = state.at
        while at < len(state.groups) and len(rows) < size:
            rows.extend(state.groups[at])
            at += 1
        if state.endless:
            return Page(rows, self._keep(state, switches), more=True)
        last = rows[-1] if rows else None
        if at < len(state.groups):
            return Page(rows, self._keep(replace(state, at=at, last=last), switches), more=True)
        done = replace(state, groups=None, at=0, last=None)
        return Page(rows, self._keep(done, switches), more=False)

    def _keep(self, state: State, switches: Switches) -> str:
        token = self.mailbox.mint.token()
        self.known[token] = state
        while len(self.known) > switches.keep_delta_states:
            self.known.popitem(last=False)
        return token


def sync_state_not_found(token: str) -> ServiceError:
    """Return the answer for a delta token that died."""
    return ServiceError(
        410,
        "SyncStateNotFound",
        f"The sync state generation is not found; generation={len(token)}.",
    )


def _whole(item: Item, window: Window) -> Iterator[Row]:
    """Yield an item's rows in view: a series' master first, then its instances."""
    instances = list(item.instances(window))
    if instances and item.recurrence is not None:
        yield Event(item)
    yield from instances


def _single(item: Item, window: Window) -> Iterator[Row]:
    event = Event(item)
    yield event if event.in_view(window) else Removed(item.default_id, item.immutable_id)


def _gone(
    item: Item, changes: Sequence[Change], window: Window, switches: Switches
) -> Iterator[Row]:
    left = changes[-1] if changes[-1].what == "gone" else changes[0]
    yield Removed(left.default_id, left.immutable_id)
    if switches.removed_lists_occurrences and item.recurrence is not None:
        for event in item.instances(window):
            yield _removed_slot(event, left)


def _removed_slot(event: Event, known_as: Change) -> Removed:
    parts = replace_ids(event, known_as.default_id, known_as.immutable_id)
    return Removed(*parts)


def replace_ids(event: Event, default_id: str, immutable_id: str) -> tuple[str, str]:
    """Return an instance's two ids as they were under its master's former ones."""
    tail = len(event.item.default_id.removesuffix("AAA="))
    suffix = event.id[tail:]
    return (
        default_id.removesuffix("AAA=") + suffix,
        immutable_id.removesuffix("AAA=") + suffix,
    )


def _series(
    item: Item, changes: Sequence[Change], window: Window, switches: Switches
) -> Iterator[Row]:
    kinds = {change.what for change in changes}
    instances = list(item.instances(window))
    if "changed" in kinds:
        yield from _changed_series(item, instances, switches)
        return
    wants_master = ("slot-gone" in kinds and switches.deleted_occurrence_emits_master) or (
        "exception" in kinds and switches.exception_change_emits_master
    )
    if wants_master:
        yield Event(item) if instances else Removed(item.default_id, item.immutable_id)
    slots = dict.fromkeys(change.slot for change in changes if change.what == "exception")
    for slot in slots:
        if slot is not None and slot not in item.cancelled:
            event = Event(item, slot)
            shown = event.in_view(window)
            yield event if shown else Removed(event.id, event.immutable_id)


def _changed_series(item: Item, instances: list[Event], switches: Switches) -> Iterator[Row]:
    if not instances:
        yield Removed(item.default_id, item.immutable_id)
        return
    yield Event(item)
    for event in instances:
        if event.kind == "exception" or switches.series_change_resends_occurrences:
            yield event
