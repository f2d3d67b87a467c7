"""Names for the different kinds of identifiers, so that none is taken for another."""

from typing import NewType

__all__ = [
    "AccountName",
    "CalendarId",
    "DeltaLink",
    "FileName",
    "Fingerprint",
    "GraphId",
    "ProblemId",
    "RoundId",
    "TransactionId",
    "Uid",
]

AccountName = NewType("AccountName", str)
"""The name of an account's table in the configuration."""

CalendarId = NewType("CalendarId", str)
"""The service's id of a calendar (containers have no immutable form)."""

GraphId = NewType("GraphId", str)
"""The service's immutable id of an event, case-sensitive, opaque."""

Uid = NewType("Uid", str)
"""RFC 5545 3.8.4.7: what a file and all its overrides are known by."""

FileName = NewType("FileName", str)
"""The name of an item's file inside its calendar's folder."""

Fingerprint = NewType("Fingerprint", str)
"""SHA-256 of a file's bytes, in hexadecimal."""

DeltaLink = NewType("DeltaLink", str)
"""A next or delta link, to be followed verbatim."""

TransactionId = NewType("TransactionId", str)
"""Graph's idempotency key of a create."""

ProblemId = NewType("ProblemId", str)
"""What `syncd problems` calls one open matter; stable until it is resolved."""

RoundId = NewType("RoundId", int)
"""The number of a round, as `syncd log` prints it."""
