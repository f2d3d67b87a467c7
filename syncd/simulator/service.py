"""
The calendar service as a whole: mailboxes, one ledger of mails, one clock.

Knows who has a mailbox and owns time and randomness, so that a run can be repeated exactly.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

from syncd.simulator.delta import DeltaRounds
from syncd.simulator.errors import ServiceError
from syncd.simulator.folders import Person
from syncd.simulator.ids import Minter
from syncd.simulator.mailbox import Mailbox
from syncd.simulator.model import Mail
from syncd.simulator.switches import Switches

__all__ = ["Service", "system_now"]


def system_now() -> datetime:
    """Return the machine's time, aware UTC."""
    return datetime.now(UTC)


class Service:
    """
    Several mailboxes that share a clock and a ledger.

    Args:
        now: aware UTC clock. random: seeded source of every identifier. switches: see `Switches`.

    Meetings do not travel between mailboxes: an invitation is an entry of the ledger.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = system_now,
        random: Random | None = None,
        switches: Switches | None = None,
    ) -> None:
        self.switches = switches or Switches()
        self.ledger: list[Mail] = []
        self.mint = Minter(random or Random(20310304))  # noqa: S311 - identifiers, no secrets
        self.mailboxes: list[Mailbox] = []
        self.offset = timedelta()
        self._clock = now
        self._rounds: dict[str, DeltaRounds] = {}

    def now(self) -> datetime:
        """Return the service's time, aware UTC."""
        return self._clock() + self.offset

    def advance(self, by: timedelta) -> None:
        """Move the service's clock; it may move backwards."""
        self.offset += by

    def add_mailbox(self, upn: str, name: str = "", *, user_id: str = "") -> Mailbox:
        """Open a mailbox with its default calendar. Args: upn: also its mail address."""
        mailbox = Mailbox(
            user_id or self.mint.guid(),
            Person(name or upn.partition("@")[0].title(), upn),
            mint=self.mint,
            now=self.now,
            switches=lambda: self.switches,
            ledger=self.ledger,
        )
        self.mailboxes.append(mailbox)
        self._rounds[mailbox.user_id] = DeltaRounds(mailbox)
        return mailbox

    def mailbox(self, user: str) -> Mailbox:
        """
        Return the mailbox of a user id or UPN, in any case.

        Raises: ServiceError: 404 ErrorInvalidUser.
        """
        wanted = user.casefold()
        for mailbox in self.mailboxes:
            if wanted in (mailbox.user_id.casefold(), mailbox.owner.address.casefold()):
                return mailbox
        raise ServiceError(404, "ErrorInvalidUser", f"The requested user '{user}' is invalid.")

    def rounds(self, mailbox: Mailbox) -> DeltaRounds:
        """Return the delta rounds of a mailbox."""
        return self._rounds[mailbox.user_id]
