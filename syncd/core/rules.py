"""What the configuration says about syncing one calendar, as the rounds need it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from syncd.core.guard import DeletionLimit
from syncd.core.mail import MailPolicy
from syncd.core.wire.ics_forms import NO_FORMS, Forms

__all__ = ["Rules"]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one calendar; times in days or seconds as their names say."""

    past_days: int = 90
    future_days: int = 365
    true_up_s: float = 6 * 3600.0
    two_way: bool = True
    conflict: str = "remote"
    limit: DeletionLimit = field(default_factory=DeletionLimit)
    max_imports: int = 20
    mail: MailPolicy = field(default_factory=MailPolicy)
    replace_rich_bodies: bool = False
    delete_cancelled_overrides: bool = False
    foreign_meeting: Literal["hold", "copy"] = "hold"
    forms: Forms = NO_FORMS
    attachments: Literal["link", "inline", "off"] = "link"
    delete_attachments: bool = False
