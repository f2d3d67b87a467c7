"""What a write that mails people waits for: the policy, and what a person said of exactly this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from syncd.core.decide import (
    Sides,
)
from syncd.core.mail import MailClass, Mailing
from syncd.core.plan.values import Desk, exactly
from syncd.core.state import Problem

__all__ = ["mail_code", "mail_problem", "mail_stands"]


def mail_problem(
    sides: Sides, mailing: Mailing, desk: Desk, *, would: str, slot: str = "", what: object = ""
) -> Problem:
    told, to = mailing.told, mailing.addressed
    mails = sum(one.mails for one in told)
    people = "1 person" if len(to) == 1 else f"{len(to)} people"
    many = f", {mails} mails in all" if mails > len(to) else ""
    never = desk.mail.rule(mailing.kind) == "never"
    return desk.problem(
        "held-mail",
        mail_code(mailing.kind),
        sides,
        reason=f"to {would} would mail {people}{many}",
        hint=(
            f"The configuration never sends {mailing.kind}."
            if never
            else "`syncd approve ID` sends it, `syncd discard ID` takes it back."
        ),
        needs_person=not never,
        slot=slot,
        mail_class=mailing.kind,
        to=to,
        items=tuple({"mail": one.kind, "to": one.address, "mails": str(one.mails)} for one in told),
        # Invitations are approved before the event that they are to is there, with its exceptions.
        exact=exactly(
            [mailing.kind, sorted(mailing.to), sorted(mailing.each) if what else [], what]
        ),
    )


_VERBS: Mapping[MailClass, str] = {
    "invitations": "invite",
    "updates": "update",
    "cancellations": "cancel",
    "responses": "respond",
}


def mail_code(kind: MailClass) -> str:
    """The code under which a held mailing write is listed."""
    return f"would-{_VERBS[kind]}"


def mail_stands(
    problem: Problem, mailing: Mailing, desk: Desk
) -> Literal["go", "held", "discarded"]:
    verdict = desk.verdict(problem.id, problem.exact)
    if verdict == "discarded":
        return "discarded"
    rule = desk.mail.rule(mailing.kind)
    if rule == "send" or (rule == "hold" and verdict == "approved"):
        return "go"
    return "held"
