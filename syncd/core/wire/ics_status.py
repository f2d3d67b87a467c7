"""Free/busy, privacy, priority and what a meeting allows, as content lines spell them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd.core.event import (
    Event,
)
from syncd.core.lines import (
    Component,
    param,
)

__all__ = [
    "read_allow_new_times",
    "read_flag",
    "read_importance",
    "read_online_meeting",
    "read_response_requested",
    "read_sensitivity",
    "read_show_as",
    "upper_value",
]


_BUSY_STATUS: Mapping[str, Any] = {
    "FREE": "free",
    "TENTATIVE": "tentative",
    "BUSY": "busy",
    "OOF": "oof",
    "OUTOFOFFICE": "oof",
    "WORKINGELSEWHERE": "workingElsewhere",
}


def upper_value(component: Component, name: str) -> str:
    line = component.first(name)
    return "" if line is None else line.value.strip().upper()


def read_show_as(component: Component, base: Event | None, *, invited: bool) -> Any:
    """
    Free/busy from TRANSP, STATUS and Outlook's own line.

    Where TRANSP and Outlook's line contradict each other, TRANSP holds: clients edit it and carry
    unknown lines along. The same goes for STATUS:CONFIRMED beside a tentative line, except at
    meetings of others, whose STATUS says nothing of the owner.
    """
    transp, status = upper_value(component, "TRANSP"), upper_value(component, "STATUS")
    stated = _BUSY_STATUS.get(upper_value(component, "X-MICROSOFT-CDO-BUSYSTATUS"))
    before = base.show_as if base else None
    if stated is None:
        return _plain_show_as(transp, status, before, invited=invited)
    if transp == "TRANSPARENT":
        return "free"
    if stated == "free" and transp == "OPAQUE":
        return "busy"
    if stated == "tentative" and status == "CONFIRMED" and not invited:
        return "busy"
    return stated


def _plain_show_as(transp: str, status: str, before: str | None, *, invited: bool) -> Any:
    """Without Outlook's own line: clients drop unknown lines, so its absence alone is no edit."""
    if transp == "TRANSPARENT":
        return "free"
    if before in ("oof", "workingElsewhere", "unknown"):
        return before
    if status == "TENTATIVE":
        return "tentative"
    if before == "tentative" and (invited or status != "CONFIRMED"):
        return before
    return "busy"


def read_sensitivity(component: Component, base: Event | None) -> Any:
    """PRIVATE is what a file has for Outlook's `personal` too."""
    stated = upper_value(component, "CLASS")
    if stated in ("", "PUBLIC"):
        return "normal"
    if stated == "CONFIDENTIAL":
        return "confidential"
    if stated == "PRIVATE" and base is not None and base.sensitivity == "personal":
        return "personal"
    # RFC 5545 3.8.1.3: unknown classes are treated as PRIVATE.
    return "private"


def read_importance(component: Component) -> Any:
    stated = upper_value(component, "PRIORITY")
    if not stated:
        return {"0": "low", "2": "high"}.get(
            upper_value(component, "X-MICROSOFT-CDO-IMPORTANCE"), "normal"
        )
    try:
        priority = int(stated)
    except ValueError:
        return "normal"
    if 1 <= priority <= 4:
        return "high"
    return "low" if 6 <= priority <= 9 else "normal"


def read_flag(component: Component, name: str) -> bool | None:
    """TRUE or FALSE (RFC 5545 3.3.2); None where the line is absent or says neither."""
    return {"TRUE": True, "FALSE": False}.get(upper_value(component, name))


def read_allow_new_times(component: Component, base: Event | None) -> bool:
    """Outlook's line says the opposite; clients drop it, so that its absence is no edit."""
    disallowed = read_flag(component, "X-MICROSOFT-DISALLOW-COUNTER")
    if disallowed is None:
        return base.allow_new_times if base else True
    return not disallowed


def read_response_requested(component: Component, base: Event | None) -> bool:
    """Outlook's line; without it and without a base, what all the guests' RSVP say."""
    asked = read_flag(component, "X-MICROSOFT-CDO-ISRESPONSEREQUESTED")
    if asked is not None:
        return asked
    if base is not None:
        return base.response_requested
    guests = component.lines("ATTENDEE")
    return not guests or any(param(line, "RSVP").upper() != "FALSE" for line in guests)


def read_online_meeting(component: Component, base: Event | None) -> bool:
    """Whether there is an online meeting or one is asked for; it cannot be taken back."""
    asked = read_flag(component, "X-SYNCD-ONLINE-MEETING")
    return bool(asked) or bool(base and base.online_meeting)
