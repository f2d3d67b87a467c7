"""
Wall-clock times with a zone, the way Exchange keeps them.

Knows Windows and IANA zone names and the text form of `dateTimeTimeZone`. An event's time is kept
as the wall time and zone that were sent; an instant is derived when needed.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from tzlocal.windows_tz import tz_win, win_tz

from syncd.simulator.errors import ServiceError, bad_body, invalid_property

__all__ = [
    "Wall",
    "iana_names",
    "parse_instant",
    "read_wall",
    "stamp",
    "windows_name",
    "windows_names",
    "zone_of",
]

_LOCAL = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,7}))?)?\Z")
_OFFSET = re.compile(r"(?i)(Z|[+-]\d\d:\d\d)\Z")
_WINDOWS = {name.casefold(): name for name in win_tz}


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """
    Return the rules of a Windows or IANA zone.

    Raises: ServiceError: 400 TimeZoneNotSupportedException, as for any name Exchange lacks.
    """
    windows = _WINDOWS.get(name.casefold())
    if windows is not None:
        return ZoneInfo(win_tz[windows])
    if name in tz_win:
        return ZoneInfo(name)
    raise ServiceError(
        400,
        "TimeZoneNotSupportedException",
        "A valid TimeZone value must be specified. The following TimeZone value is not "
        f"supported: '{name[:80]}'.",
    )


def windows_name(name: str) -> str:
    """Return the Windows name of a supported zone."""
    return _WINDOWS.get(name.casefold()) or tz_win[name]


def windows_names() -> list[str]:
    """Return every supported Windows name, sorted."""
    return sorted(win_tz)


def iana_names() -> list[str]:
    """Return every supported IANA name, sorted."""
    return sorted(tz_win)


@dataclass(frozen=True, slots=True)
class Wall:
    """
    A wall-clock time in a named zone.

    Args:
        local: naive. zone: a supported Windows or IANA name, spelled as it was sent.
    """

    local: datetime
    zone: str

    @property
    def instant(self) -> datetime:
        """The moment in UTC. A time that a clock change skips is read with the earlier offset."""
        if self.zone == "UTC":
            return self.local.replace(tzinfo=UTC)
        return self.local.replace(tzinfo=zone_of(self.zone)).astimezone(UTC)

    def seen_from(self, zone: str) -> "Wall":
        """Return the same moment on the clocks of another zone."""
        if zone == self.zone:
            return self
        return Wall(self.instant.astimezone(zone_of(zone)).replace(tzinfo=None), zone)

    def relabelled(self, zone: str) -> "Wall":
        """Return the same clock reading in another zone: how all-day events travel."""
        return Wall(self.local, zone)

    def plus(self, span: timedelta) -> "Wall":
        """Return the clock reading `span` later, by the clock on the wall."""
        return Wall(self.local + span, self.zone)

    def wire(self) -> dict[str, str]:
        """Return a `dateTimeTimeZone` with the seven digits that Exchange writes."""
        local = self.local
        text = local.isoformat(timespec="microseconds")
        return {"dateTime": text + "0", "timeZone": self.zone}


def stamp(instant: datetime) -> str:
    """Return an Edm.DateTimeOffset in UTC, such as `2031-03-04T09:00:00.1234560Z`."""
    text = instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return text + "0Z"


def _local(text: str) -> datetime:
    found = _LOCAL.match(text)
    if found is None:
        raise bad_body("Cannot convert the value to the expected type 'Edm.DateTime'.")
    micro = (found[3] or "").ljust(6, "0")[:6]
    try:
        return datetime.fromisoformat(f"{found[1]}:{found[2] or '00'}.{micro}")
    except ValueError as bad:
        raise bad_body("Cannot convert the value to the expected type 'Edm.DateTime'.") from bad


def read_wall(value: object, name: str) -> Wall:
    """
    Return a `dateTimeTimeZone` that was sent.

    Raises: ServiceError: 400 when a part is missing or malformed, or the zone is unknown.
    """
    if not isinstance(value, dict):
        raise bad_body(f"Property {name} in payload has a value that does not match schema.")
    text, zone = value.get("dateTime"), value.get("timeZone")
    if not isinstance(text, str):
        raise invalid_property(f"At least one property failed validation: {name}/dateTime.")
    if not isinstance(zone, str) or not zone:
        raise ServiceError(
            400,
            "TimeZoneNotSupportedException",
            "A valid TimeZone value must be specified. The following TimeZone value is not "
            "supported: ''.",
        )
    local = _local(text)
    zone_of(zone)
    if not 1601 <= local.year <= 4500:
        raise invalid_property("The date is outside the range that a calendar item can have.")
    return Wall(local, zone)


def parse_instant(text: str) -> datetime:
    """
    Return a query's time as an instant; without an offset it is UTC.

    Raises: ValueError: the text is no time.
    """
    text = text.strip().replace(" ", "+")  # a plus sign that was not percent-encoded
    offset = _OFFSET.search(text)
    body = text[: offset.start()] if offset else text
    if re.fullmatch(r"\d{4}-\d\d-\d\d", body):
        body += "T00:00"
    found = _LOCAL.match(body)
    if found is None:
        raise ValueError(text)
    micro = (found[3] or "").ljust(6, "0")[:6]
    zone = offset[0].upper().replace("Z", "+00:00") if offset else "+00:00"
    return datetime.fromisoformat(f"{found[1]}:{found[2] or '00'}.{micro}{zone}").astimezone(UTC)
