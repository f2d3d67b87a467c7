"""Requests and answers as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Answer", "Request"]


@dataclass(frozen=True, slots=True)
class Request:
    """
    One exchange with the service, as a value.

    `path` begins with "/" and is relative to the API root, percent-encoded, with its query; or it
    is an absolute link that the service gave (it is refused unless it names the service's host).
    `body` is JSON, or a piece of a file on its way to an upload URL (whose address is a secret and
    not in `path`). `label` names the request in logs: no ids, no names.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer: any status the service may mean (2xx, 4xx); header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the service did what it was asked for (RFC 9110 section 15.3)."""
        return 200 <= self.status < 300
