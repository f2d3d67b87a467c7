"""
One mailbox: what a person in Outlook, or a program over HTTP, can do to its events.

Knows the rules of writes and which mails a write causes.
Pure: no I/O; time and randomness come from the service that owns it.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

import msgspec

from syncd.simulator import meetings, reminders, rules
from syncd.simulator.attachments import (
    Attachment,
    Draft,
    Uploads,
    find_attachment,
    has_attachments,
)
from syncd.simulator.building import Builder
from syncd.simulator.errors import ServiceError, invalid_request
from syncd.simulator.fields import Changes, Keep, read_changes
from syncd.simulator.folders import Calendar, Folders, Person, writable
from syncd.simulator.ids import Minter
from syncd.simulator.journal import Journal
from syncd.simulator.model import Actor, Event, Item, Mail, MailKind, Window
from syncd.simulator.store import ItemStore
from syncd.simulator.switches import Switches

__all__ = ["DELETED_ITEMS", "Mailbox"]

DELETED_ITEMS = "Deleted Items"
_EXTENDED_ONLY = frozenset({"singleValueExtendedProperties"})


class Mailbox:
    """
    A mailbox. Every operation on an event takes its id in either form.

    Args:
        user_id: a GUID. owner: name and address. now: aware UTC clock. ledger: where mails go.
    """

    def __init__(
        self,
        user_id: str,
        owner: Person,
        *,
        mint: Minter,
        now: Callable[[], datetime],
        switches: Callable[[], Switches],
        ledger: list[Mail],
    ) -> None:
        self.user_id = user_id
        self.owner = owner
        self.mint = mint
        self.folders = Folders(owner, mint)
        self.ledger = ledger
        self.uploads = Uploads()
        self.deleted_folder = Calendar(
            mint.folder_id(), DELETED_ITEMS, "", mint.change_key(), owner
        )
        self._now = now
        self._switches = switches
        self._store = ItemStore(mint, now)
        self._builder = Builder(owner, mint, now, switches)
        self._transactions: dict[str, tuple[bytes, Item]] = {}

    @property
    def journal(self) -> Journal:
        """Every change so far."""
        return self._store.journal

    @property
    def default_calendar(self) -> Calendar:
        """The calendar that `/me/calendar` names."""
        return self.folders.default

    def items(self, calendar: str) -> list[Item]:
        """Return the items of a calendar, oldest first. Raises: ServiceError: 404."""
        return self._store.of(self.folders.calendar(calendar).id)

    def find(self, identity: str) -> Event:
        """Return the event of an id. Raises: ServiceError: 400 or 404."""
        return self._store.find(identity)

    def instances(self, calendar: str, start: datetime, end: datetime) -> list[Event]:
        """Return every single event and instance in a window, by start."""
        found = self._in_view(calendar, Window(start, end))
        return sorted(found, key=lambda event: event.start.instant)

    def _in_view(self, calendar: str, window: Window) -> Iterator[Event]:
        for item in self.items(calendar):
            yield from item.instances(window)

    def cancelled(self, master: str) -> list[date]:
        """Return the original days of a series' deleted instances."""
        return sorted(self.find(master).item.cancelled)

    def settle(self) -> None:
        """Let the service touch what was just created, when that switch is on."""
        self._store.settle(touching=self._switches().spontaneous_change_key)

    def create(self, calendar: str, body: object, *, actor: Actor = "person") -> Event:
        """
        Make an event from a POST body; people in it are invited at once.

        Raises: ServiceError: 400 for an illegal body, 403 for a calendar that is read-only,
            409 for a `transactionId` that made another event.
        """
        folder = writable(self.folders.calendar(calendar))
        changes = read_changes(body)
        fingerprint = msgspec.json.encode(body, order="deterministic")
        known = self._repeated(changes.values.get("transactionId"), fingerprint)
        if known is not None:
            return Event(known)
        item = self._builder.build(folder.id, changes)
        self._store.admit(item)
        if transaction := item.values["transactionId"]:
            self._transactions[transaction] = (fingerprint, item)
        event = Event(item)
        if event.is_meeting:
            self._mail(event, "invitation", self._people(event), actor)
        return event

    def _repeated(self, transaction: str | None, fingerprint: bytes) -> Item | None:
        if not transaction or transaction not in self._transactions:
            return None
        before, item = self._transactions[transaction]
        if before == fingerprint and self._switches().duplicate_transaction_answer == "original":
            return item
        raise ServiceError(
            409,
            "ErrorDuplicateTransactionId",
            "Your request can't be completed. The TransactionId provided in the request has "
            "already been used to create a different event.",
        )

    def patch(
        self,
        identity: str,
        body: object,
        *,
        actor: Actor = "person",
        if_match: str | None = None,
    ) -> Event:
        """
        Change an event; an occurrence becomes an exception.

        Raises: ServiceError: 400, 403, 404, or 412 when `if_match` is not the present version.
        """
        event = self._writable(identity, if_match)
        changes = read_changes(body)
        _check_rights(event, changes)
        item = event.item
        exceptions = [Event(item, slot) for slot in item.overrides] if event.slot is None else []
        before = {one.slot: one.values["attendees"] for one in (event, *exceptions)}
        patch = self._patch_whole if event.slot is None else self._patch_slot
        for told in patch(event, changes):
            self._tell(told, before[told.slot], changes.names, actor)
        return event

    def _tell(
        self, event: Event, before: list[Mapping[str, Any]], names: frozenset[str], actor: Actor
    ) -> None:
        values, address = event.values, self.owner.address
        if values["isOrganizer"]:
            mails = meetings.after_patch(before, values["attendees"], names, address)
            for kind, to in mails:
                self._mail(event, kind, to, actor)

    def _writable(self, identity: str, if_match: str | None = None) -> Event:
        event = self.find(identity)
        if event.item.alive:
            writable(self.folders.calendar(event.item.calendar))
        expected = f'W/"{event.change_key}"'
        honoured = self._switches().if_match_honoured
        if if_match and honoured and if_match not in ("*", expected, expected[2:]):
            raise ServiceError(
                412,
                "ErrorIrresolvableConflict",
                "The send or update operation could not be performed because the change key "
                "passed in the request does not match the current change key for the item.",
            )
        return event

    def _patch_whole(self, event: Event, changes: Changes) -> list[Event]:
        """Change a single event or a series; return what attendees are told about."""
        item = event.item
        values = self._builder.merged(event, changes)
        start, end = changes.start or item.start, changes.end or item.end
        all_day = values.get("isAllDay", item.values["isAllDay"])
        rules.check_times(start, end, all_day=all_day)
        sent = not isinstance(changes.recurrence, Keep)
        wanted = item.recurrence if isinstance(changes.recurrence, Keep) else changes.recurrence
        series, start, end = self._builder.fitted(wanted, start, end, all_day=all_day, sent=sent)
        moved = (item.start, item.end, item.recurrence) != (start, end, series)
        if changes.start is not None and self._switches().original_zone_follows_change:
            item.original_zones = self._builder.zone_names(start, end)
        item.values.update(values)
        item.start, item.end, item.recurrence = start, end, series
        item.extended = self._builder.extended(item.extended, changes)
        if moved:
            self._refit_overrides(item)
        self._store.touch(item)
        if changes.names != _EXTENDED_ONLY:
            self.journal.note(item, "changed")
        return [event, *(Event(item, slot) for slot in sorted(item.overrides))]

    def _refit_overrides(self, item: Item) -> None:
        """Drop the edits that a changed pattern leaves without a slot, or all of them."""
        all_go = item.recurrence is None or self._switches().series_change_drops_exceptions
        for slot in [slot for slot in item.overrides if all_go or not item.is_slot(slot)]:
            del item.overrides[slot]
        item.cancelled = {slot for slot in item.cancelled if item.is_slot(slot)}

    def _patch_slot(self, event: Event, changes: Changes) -> list[Event]:
        """Change one instance; return what attendees are told about."""
        item, slot = event.item, event.slot
        assert slot is not None
        if not isinstance(changes.recurrence, Keep):
            raise invalid_request("The recurrence of an occurrence cannot be set.")
        values = self._builder.merged(event, changes)
        start, end = changes.start or event.start, changes.end or event.end
        rules.check_times(start, end, all_day=values.get("isAllDay", event.values["isAllDay"]))
        if changes.start is not None:
            rules.check_neighbours(item, slot, start)
        override, fresh = self._store.override(item, slot)
        override.values.update(values)
        override.start = changes.start or override.start
        override.end = changes.end or override.end
        override.extended = self._builder.extended(override.extended, changes)
        self._store.touch_slot(item, override)
        if fresh or changes.names != _EXTENDED_ONLY:
            self.journal.note(item, "exception", slot)
        return [event]

    def delete(
        self, identity: str, *, actor: Actor = "person", if_match: str | None = None
    ) -> None:
        """
        Delete an event, a series, or one instance; the organizer's attendees are told.

        Raises: ServiceError: 403, 404, 412.
        """
        self._call_off(self._writable(identity, if_match), actor)

    def cancel(self, identity: str, body: object, *, actor: Actor = "person") -> None:
        """
        Delete an event, a series, or one instance, with a word to its attendees.

        Raises: ServiceError: 400 for an attendee, 403, 404.
        """
        event = self._writable(identity)
        comment = meetings.read_cancellation(body, event)
        self._call_off(event, actor, comment)

    def purge(self, identity: str, *, actor: Actor = "person") -> None:
        """Delete for good: nothing of it answers any more. Raises: ServiceError: 403, 404."""
        self._call_off(self._writable(identity), actor, for_good=True)

    def _call_off(
        self, event: Event, actor: Actor, comment: str = "", *, for_good: bool = False
    ) -> None:
        if not event.item.alive:
            self._store.forget(event.item)
            return
        self._mail_cancellation(event, actor, comment, for_good=for_good)
        self._remove(event, for_good=for_good)

    def _remove(self, event: Event, *, for_good: bool) -> None:
        if event.slot is None:
            self._bury(event.item, for_good=for_good)
        else:
            self._store.cancel(event.item, event.slot)

    def _mail_cancellation(
        self, event: Event, actor: Actor, comment: str = "", *, for_good: bool
    ) -> None:
        silent = for_good and not self._switches().permanent_delete_cancels
        if event.is_meeting and not silent:
            self._mail(event, "cancellation", self._people(event), actor, comment=comment)

    def _bury(self, item: Item, *, for_good: bool) -> None:
        answers = self._switches().deleted_items_answer and not for_good
        self._store.bury(item, self.deleted_folder.id if answers else None)
        transaction = item.values["transactionId"]
        if transaction and self._transactions.get(transaction, (b"", None))[1] is item:
            del self._transactions[transaction]

    def move(self, identity: str, calendar: str) -> Event:
        """
        Move a single event or a series to another calendar, as a person in Outlook can.

        The default id changes, the immutable one stays. Raises: ServiceError: 400, 403, 404.
        """
        event, target = self._writable(identity), writable(self.folders.calendar(calendar))
        if event.slot is not None:
            raise invalid_request("An occurrence cannot be moved to another folder.")
        self._store.move(event.item, target.id)
        return event

    def remove_calendar(
        self, identity: str, *, actor: Actor = "person", for_good: bool = False
    ) -> None:
        """Delete a calendar with all that is in it. Raises: ServiceError."""
        items = self.items(identity)
        self.folders.remove(identity)
        for event in map(Event, items):
            self._mail_cancellation(event, actor, for_good=for_good)
            self._bury(event.item, for_good=for_good)

    def receive(
        self, calendar: str, body: object, organizer: Person, *, ical_uid: str | None = None
    ) -> Event:
        """
        Put a meeting here that somebody else organises, as an invitation does.

        The owner is added to the attendees when missing. Raises: ServiceError: 400, 403, 404.
        """
        folder, changes = writable(self.folders.calendar(calendar)), read_changes(body)
        item = self._builder.build(folder.id, changes)
        item.values.update(meetings.received_values(item.values, self.owner.wire()))
        item.values["showAs"] = changes.values.get("showAs", "tentative")
        item.organizer = {"emailAddress": organizer.wire()}
        item.uid = ical_uid or item.uid
        self._store.admit(item)
        return Event(item)

    def respond(
        self, identity: str, verb: meetings.Verb, body: object, *, actor: Actor = "person"
    ) -> None:
        """
        Accept, tentatively accept or decline; a declined item goes to Deleted Items.

        Raises: ServiceError: 400 for the organizer or a proposal that may not be made, 404.
        """
        event = self._writable(identity)
        answer = meetings.read_answer(body, event, verb)
        response = meetings.ANSWERS[verb]
        if answer.send:
            to = (event.item.organizer["emailAddress"]["address"],)
            self._mail(event, "response", to, actor, comment=answer.comment, response=response)
        status = meetings.status(response, self._now())
        self.adjust(event, meetings.own_response(event.values, self.owner.address, status))
        if verb == "decline":
            self._remove(event, for_good=False)

    def forward(self, identity: str, body: object, *, actor: Actor = "person") -> None:
        """
        Pass an invitation on.

        The organizer's own list grows by the new people; the organizer of somebody else's meeting
        is told, and that copy lies in no mailbox here (Graph "event: forward").
        Raises: ServiceError: 400 when nobody is named, 403, 404.
        """
        event, asked = self._writable(identity), meetings.read_forwarding(body)
        mine, people = event.values["isOrganizer"], event.values["attendees"]
        if mine:
            grown = meetings.with_people(people, asked.people, self.owner.address)
            if len(grown) > len(people):
                self.adjust(event, {"attendees": grown})
        to = meetings.addresses(asked.people, but="")
        self._mail(event, "forward", to, actor, comment=asked.comment)
        if not mine:
            organizer = (event.item.organizer["emailAddress"]["address"],)
            self._mail(event, "forward-notice", organizer, actor)

    def reminders(self, start: datetime, end: datetime) -> list[Event]:
        """Return the instances in a window that remind the owner, by start, of all calendars."""
        own = [folder.id for folder in self.folders.calendars.values() if not folder.shared_in]
        found = (event for folder in own for event in self._in_view(folder, Window(start, end)))
        reminding = [event for event in found if reminders.fires(event) is not None]
        return sorted(reminding, key=lambda event: event.start.instant)

    def snooze(self, identity: str, body: object) -> None:
        """Put a reminder off. Raises: ServiceError: 400 without a legal time, 403, 404."""
        event, until = self._writable(identity), reminders.read_snooze(body)
        about = reminders.pending(event, self._now())
        if about is not None:
            reminders.snooze(about, until)
            self._after_reminder(about)

    def dismiss(self, identity: str) -> None:
        """End a reminder. Raises: ServiceError: 403, 404."""
        about = reminders.pending(self._writable(identity), self._now())
        if about is None:
            return
        reminders.dismiss(about)
        self._after_reminder(about)
        if about.kind == "singleInstance" and self._switches().dismissing_turns_reminder_off:
            self.adjust(about, {"isReminderOn": False})

    def _after_reminder(self, event: Event) -> None:
        if not self._switches().reminder_action_changes_event:
            return
        override = event.override
        if override is None:
            self._store.touch(event.item)
            self.journal.note(event.item, "changed")
        else:
            self._store.touch_slot(event.item, override)
            self.journal.note(event.item, "exception", event.slot)

    def attach(self, identity: str, draft: Draft) -> tuple[Event, Attachment]:
        """Add an attachment; nobody is told. Raises: ServiceError: 403, 404."""
        event = self._writable(identity)
        made = Attachment(self.mint.token()[:22], self._now(), draft)
        self._keep_attachments(event, (*event.attachments, made))
        return event, made

    def attachment(self, event: Event, identity: str) -> Attachment:
        """Return the attachment of an id. Raises: ServiceError: 400 or 404."""
        return find_attachment((event.id, event.immutable_id), event.attachments, identity)

    def detach(self, identity: str, attachment: str) -> None:
        """Take an attachment away; nobody is told. Raises: ServiceError: 400, 403, 404."""
        event = self._writable(identity)
        gone = self.attachment(event, attachment)
        self._keep_attachments(event, tuple(each for each in event.attachments if each != gone))

    def _keep_attachments(self, event: Event, kept: tuple[Attachment, ...]) -> None:
        """Store what is attached; an instance that gets its own becomes an exception."""
        item, slot, values = event.item, event.slot, {"hasAttachments": has_attachments(kept)}
        if slot is None:
            item.attachments = kept
            item.values.update(values)
            self._store.touch(item)
        else:
            override, _ = self._store.override(item, slot)
            override.attachments = kept
            override.values.update(values)
            self._store.touch_slot(item, override)
        if self._switches().attachment_change_emits_row:
            self.journal.note(item, "changed" if slot is None else "exception", slot)

    def answered(
        self, identity: str, address: str, response: str, proposal: Mapping[str, Any] | None = None
    ) -> Event:
        """
        Let an attendee's answer arrive in the organizer's copy.

        Args: proposal: another time that goes with it, in wire form. Raises: ServiceError.
        """
        event = self.find(identity)
        status = meetings.status(response, self._now())
        people = meetings.with_status(event.values["attendees"], address, status, proposal)
        self.adjust(event, {"attendees": people})
        return event

    def cancelled_by_organizer(self, identity: str) -> Event:
        """Let the organizer's cancellation arrive in this attendee's copy."""
        event = self.find(identity)
        subject = f"Canceled: {event.subject}"
        self.adjust(event, {"isCancelled": True, "subject": subject, "showAs": "free"})
        return event

    def adjust(self, event: Event, values: dict[str, Any]) -> None:
        """Change stored values as the service itself does: no rights, no mails."""
        self._store.adjust(event, values)

    def _people(self, event: Event) -> tuple[str, ...]:
        return meetings.addresses(event.values["attendees"], self.owner.address)

    def _mail(
        self,
        event: Event,
        kind: MailKind,
        to: tuple[str, ...],
        actor: Actor,
        *,
        comment: str = "",
        response: str = "",
    ) -> None:
        if to:
            mail = Mail(
                at=self._now(),
                kind=kind,
                event_id=event.id,
                ical_uid=event.ical_uid,
                subject=event.subject,
                to=to,
                actor=actor,
                comment=comment,
                slot=event.slot,
                response=response,
            )
            self.ledger.append(mail)


def _check_rights(event: Event, changes: Changes) -> None:
    """Raise ServiceError 400 for what an attendee may not change in the own copy."""
    beyond = changes.names - meetings.LOCAL
    if beyond and not event.values["isOrganizer"]:
        raise invalid_request(
            "Your request can't be completed. You need to be an organizer to change "
            f"{', '.join(sorted(beyond))}."
        )
