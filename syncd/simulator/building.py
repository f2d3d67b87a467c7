"""
From legal changes to stored items.

Knows what the service fills in by itself: ids, zones under Windows names, a series moved to its
first real day, an online meeting's link. Refuses to know the mailbox the item will lie in.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from syncd.simulator import fields, meetings, rules
from syncd.simulator.errors import invalid_request
from syncd.simulator.fields import Changes, Keep
from syncd.simulator.folders import Person
from syncd.simulator.ids import Minter
from syncd.simulator.model import Event, Item
from syncd.simulator.recurrence import Recurrence
from syncd.simulator.switches import Switches
from syncd.simulator.zones import Wall, windows_name

__all__ = ["Builder"]

Extended = dict[str, tuple[str, str]]


class Builder:
    """Args: owner: organizer of what is built; now: aware UTC clock."""

    def __init__(
        self,
        owner: Person,
        mint: Minter,
        now: Callable[[], datetime],
        switches: Callable[[], Switches],
    ) -> None:
        self._owner = owner
        self._mint = mint
        self._now = now
        self._switches = switches

    def build(self, calendar: str, changes: Changes) -> Item:
        """Return a new item. Raises: ServiceError: 400 when times or series are not legal."""
        start, end = rules.need_times(changes.start, changes.end)
        fresh = fields.defaults()
        values = {**fresh, **changes.values}
        rules.check_times(start, end, all_day=values["isAllDay"])
        values.update(rules.online_values(fresh, changes.values, self._join_url()))
        zones = self.zone_names(start, end)
        sent = None if isinstance(changes.recurrence, Keep) else changes.recurrence
        series, start, end = self.fitted(sent, start, end, all_day=values["isAllDay"], sent=True)
        now = self._now()
        return Item(
            calendar=calendar,
            default_id=self._mint.event_id(),
            immutable_id=self._mint.immutable_id(),
            uid=self._mint.ical_uid(),
            change_key=self._mint.change_key(),
            created=now,
            modified=now,
            values=values,
            start=start,
            end=end,
            original_zones=zones,
            recurrence=series,
            extended=self.extended({}, changes),
            organizer={"emailAddress": self._owner.wire()},
        )

    def fitted(
        self, series: Recurrence | None, start: Wall, end: Wall, *, all_day: bool, sent: bool
    ) -> tuple[Recurrence | None, Wall, Wall]:
        """Return series and times that begin together. Raises: ServiceError: 400."""
        if series is None:
            return None, start, end
        named = self._named_zone(series)
        return rules.fit_series(named, start, end, all_day=all_day, sent=sent)

    def zone_names(self, start: Wall, end: Wall) -> tuple[str, str]:
        """Return the zones as `originalStartTimeZone` and `originalEndTimeZone` show them."""
        return self._zone_name(start.zone), self._zone_name(end.zone)

    def _zone_name(self, zone: str) -> str:
        return windows_name(zone) if self._switches().iana_zones_become_windows else zone

    def _named_zone(self, series: Recurrence) -> Recurrence:
        span = series.range
        if span.zone is None:
            return series
        return replace(series, range=replace(span, zone=self._zone_name(span.zone)))

    def _join_url(self) -> str:
        thread = self._mint.guid().replace("-", "")
        return f"https://teams.microsoft.com/l/meetup-join/19%3ameeting_{thread}%40thread.v2/0"

    def merged(self, event: Event, changes: Changes) -> dict[str, Any]:
        """Return the values that a PATCH changes, with what follows from them."""
        old = event.values
        values = {name: it for name, it in changes.values.items() if name != "transactionId"}
        if "attendees" in values:
            values["attendees"] = meetings.carry_statuses(old["attendees"], values["attendees"])
        values.update(rules.online_values(old, values, self._join_url()))
        return values

    def extended(self, before: Mapping[str, tuple[str, str]], changes: Changes) -> Extended:
        """Return the extended properties after a write."""
        after = dict(before)
        for key, (identity, value) in changes.extended.items():
            if value is None:
                after.pop(key, None)
            elif len(value) > self._switches().longest_extended_chars:
                raise invalid_request("The property value is too large.")
            else:
                after[key] = (self._shown_property(identity), value)
        return after

    def _shown_property(self, identity: str) -> str:
        if not self._switches().extended_ids_lowercased:
            return identity
        kind, _, rest = identity.strip().partition(" ")
        guid, _, name = rest.partition(" ")
        return " ".join(part for part in (kind, guid.lower(), name) if part)
