"""
The forms in which one id can be had, and how an id goes from one into another.

Knows Graph's two forms, that of Exchange Web Services, and the binary ones in their URL-safe text.
The binary forms here only look like MAPI's: they hold the id itself.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from syncd.simulator.checks import choice, mapping, text
from syncd.simulator.errors import ServiceError, bad_body, invalid_request, malformed_id
from syncd.simulator.mailbox import Mailbox

__all__ = ["Translation", "read_translation", "translated"]

MAX_IDS = 1000
FORMS = ("entryId", "ewsId", "immutableEntryId", "restId", "restImmutableEntryId")
_BINARY = ("entryId", "immutableEntryId")
_IMMUTABLE = ("immutableEntryId", "restImmutableEntryId")
_EWS = str.maketrans("-_", "/+")
_FROM_EWS = str.maketrans("/+", "-_")


@dataclass(frozen=True, slots=True)
class Translation:
    """The body of translateExchangeIds. Args: source, target: `exchangeIdFormat`."""

    ids: tuple[str, ...]
    source: str
    target: str


def read_translation(body: object) -> Translation:
    """Return what was asked of translateExchangeIds. Raises: ServiceError: 400."""
    sent = {name.casefold(): value for name, value in mapping(body, "body").items()}
    ids = sent.get("inputids")
    if not isinstance(ids, list):
        raise bad_body("Property inputIds in payload has a value that does not match schema.")
    if len(ids) > MAX_IDS:
        raise invalid_request(f"The number of ids exceeds the limit of {MAX_IDS}.")
    return Translation(
        ids=tuple(text(identity, "inputIds") for identity in ids),
        source=choice(sent.get("sourceidtype"), FORMS, "sourceIdType"),
        target=choice(sent.get("targetidtype"), FORMS, "targetIdType"),
    )


def translated(mailbox: Mailbox, identity: str, wish: Translation) -> dict[str, Any]:
    """Return the `convertIdResult` of an id; what cannot be translated is told in it."""
    try:
        found = _in_mailbox(mailbox, _plain(identity, wish.source), wish.target in _IMMUTABLE)
    except ServiceError as refused:
        details = {"code": refused.code, "message": refused.message}
        return {"sourceId": identity, "errorDetails": details}
    return {"sourceId": identity, "targetId": _dressed(found, wish.target)}


def _in_mailbox(mailbox: Mailbox, identity: str, immutable: bool) -> str:
    """Return one of Graph's two ids of an event; a calendar has but one."""
    if identity in mailbox.folders.calendars and not immutable:
        return identity
    return mailbox.find(identity).id_form(immutable=immutable)


def _plain(identity: str, form: str) -> str:
    if form == "ewsId":
        return identity.translate(_FROM_EWS)
    if form not in _BINARY:
        return identity
    try:
        # Graph: the padding is cut off and its length put in its place.
        padded = identity[:-1] + "=" * int(identity[-1:])
        return base64.urlsafe_b64decode(padded).decode("ascii")
    except (binascii.Error, ValueError) as bad:
        raise malformed_id() from bad


def _dressed(identity: str, form: str) -> str:
    if form == "ewsId":
        return identity.translate(_EWS)
    if form not in _BINARY:
        return identity
    padded = base64.urlsafe_b64encode(identity.encode("ascii")).decode("ascii")
    bare = padded.rstrip("=")
    return f"{bare}{len(padded) - len(bare)}"
