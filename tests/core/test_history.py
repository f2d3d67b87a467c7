"""What the history says of an item: its versions, who set which field, and the way back."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from syncd.core.history import (
    Changed,
    Origin,
    Reader,
    Remove,
    Step,
    There,
    Write,
    changed_names,
    is_version,
    mailed,
    origins,
    state_at,
    steps_of,
    tidying,
    undo_of,
)
from syncd.core.ids import RoundId, Uid
from syncd.core.owner import Owner
from syncd.core.search import Query, folded_text
from syncd.core.state import HistoryRecord, Side
from syncd.core.zones import UTC_ZONE

NOW = datetime(2031, 3, 4, 9, tzinfo=UTC)
DAY = timedelta(days=1)
READER = Reader(Owner(frozenset(), UTC_ZONE))


def text(summary: str, *lines: str) -> bytes:
    inner = (
        "UID:a",
        "DTSTAMP:20310101T000000Z",
        "DTSTART:20310304T100000Z",
        "DURATION:PT1H",
        f"SUMMARY:{summary}",
        *lines,
    )
    whole = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//a//b//EN", "BEGIN:VEVENT", *inner)
    return "\r\n".join((*whole, "END:VEVENT", "END:VCALENDAR", "")).encode()


ONE, TWO, THREE = text("One"), text("Two"), text("Two", "LOCATION:Room 7")


def record(
    number: int, side: Side, what: str, before: bytes = b"", after: bytes = b"", mail: str = ""
) -> HistoryRecord:
    """A record of the round of the same number."""
    to = ("ada@example.org",) if mail else ()
    return HistoryRecord(
        number, RoundId(number), NOW, "Calendar", Uid("a"), side, what, (), before, after, mail, to
    )


MADE = record(1, "remote", "create")
EDITED = record(2, "local", "update", ONE, TWO)
SENT = record(3, "local", "patch", mail="updates")
MOVED = record(4, "remote", "update", TWO, THREE)
GONE = record(5, "local", "delete", THREE)
ALL = (MADE, EDITED, SENT, MOVED, GONE)


def after(steps: Sequence[Step]) -> list[bytes | None]:
    return [one.after for one in steps]


class TestSteps:
    def test_chain(self) -> None:
        """Each version ends in the text that the next begins with; what was sent is none."""
        steps = steps_of(ALL, None)

        assert [one.before for one in steps] == [None, ONE, TWO, THREE]
        assert after(steps) == [ONE, TWO, THREE, None]
        assert not is_version(SENT)

    def test_newest_is_the_present_content(self) -> None:
        """A file that came from the service is kept as the item's content alone."""
        assert after(steps_of([MADE], ONE)) == [ONE]
        assert after(steps_of([MADE], None)) == [b""]

    def test_text_that_was_found(self) -> None:
        """What a killed swap left behind comes between two versions without being one of them."""
        found = record(2, "local", "displaced", TWO)

        assert after(steps_of([MADE, found, MOVED], THREE))[0] == TWO
        assert after(steps_of([MADE, found], ONE))[0] == ONE

    def test_nothing_is_kept(self) -> None:
        """Without records there are no versions."""
        assert steps_of([], ONE) == []

    def test_state_at_a_number(self) -> None:
        """What counted after any record, also after one that only tells what was sent."""
        steps = steps_of(ALL, None)

        assert state_at(steps, SENT.number) == steps[1]
        assert state_at(steps, 0) is None

    def test_mail(self) -> None:
        """Mail is told by class, each address once."""
        assert mailed([SENT, EDITED, SENT]) == {"updates": ("ada@example.org",)}


class TestFields:
    def test_names(self) -> None:
        """A version names the fields that differ; where a text is missing, those it was told."""
        made, edited, moved, gone = steps_of(ALL, None)

        assert changed_names(edited, READER) == ("subject",)
        assert changed_names(moved, READER) == ("location",)
        assert changed_names(made, READER) == changed_names(gone, READER) == ()

    def told(self, records: Sequence[HistoryRecord], present: bytes) -> dict[str, Origin]:
        now = READER.item(present)
        assert now is not None
        found = origins(steps_of(records, present), now, READER)
        return {one.key.name: one for one in found}

    def test_origins(self) -> None:
        """Each field comes from the last version that changed it; plain ones are not told."""
        found = self.told([MADE, EDITED, MOVED], THREE)

        numbers = {name: one.step and one.step.record.number for name, one in found.items()}
        assert numbers == {"when": 1, "subject": 2, "location": 4}

    def test_older_than_is_kept(self) -> None:
        """What was set before anything that is kept comes from nowhere."""
        found = self.told([MOVED], THREE)

        assert found["subject"].step is None
        assert found["location"].step is not None

    def test_made_anew(self) -> None:
        """After a deletion everything comes from whoever made it again."""
        again = record(6, "local", "create", b"", THREE)

        found = self.told([*ALL, again], THREE)

        assert {one.step and one.step.record.number for one in found.values()} == {6}

    def test_field_that_was_emptied(self) -> None:
        """A field that somebody emptied is told, though it says nothing."""
        emptied = record(6, "local", "update", THREE, TWO)

        found = self.told([MADE, EDITED, MOVED, emptied], TWO)

        assert (found["location"].value, found["location"].step is not None) == ("", True)


class TestUndo:
    def undo(
        self,
        number: int,
        present: bytes | None,
        *,
        records: Sequence[HistoryRecord] = ALL,
        unread: bool = False,
    ) -> object:
        steps = steps_of(records, present)
        return undo_of(steps, RoundId(number), present, unread=unread, reader=READER)

    def test_each_kind(self) -> None:
        """What was made is removed, what was changed or deleted is written as it was."""
        assert self.undo(1, ONE, records=[MADE]) == Remove()
        assert self.undo(2, TWO, records=[MADE, EDITED]) == Write(ONE)
        assert self.undo(5, None) == Write(THREE)

    def test_several_changes_of_a_round(self) -> None:
        """A round that changed an item twice is taken back to what there was before it."""
        second = HistoryRecord(
            3, RoundId(2), NOW, "Calendar", Uid("a"), "remote", "update", (), TWO, THREE
        )

        assert self.undo(2, THREE, records=[MADE, EDITED, second]) == Write(ONE)

    def test_there_already(self) -> None:
        """What says the same as before needs nothing, whatever came in between."""
        assert self.undo(2, ONE.replace(b"\r\n", b"\n")) == There()
        assert self.undo(1, None) == There()

    @pytest.mark.parametrize(
        ("number", "present", "unread"),
        [
            (2, THREE, False),  # a later version
            (5, TWO, True),  # saved since, and read by no round
            (5, TWO, False),  # back since
            (4, None, False),  # removed since
        ],
    )
    def test_changed_since(self, number: int, present: bytes | None, unread: bool) -> None:
        """What changed since is left alone."""
        records = ALL if number != 4 else ALL[:4]
        found = self.undo(number, present, records=records, unread=unread)

        assert isinstance(found, Changed)

    def test_text_that_was_not_kept(self) -> None:
        """Without the text of before there is no way back."""
        lost = record(2, "remote", "update", b"", TWO)

        assert isinstance(self.undo(2, TWO, records=[lost]), Changed)


class TestTidying:
    def test_every_day(self) -> None:
        """At first, and as long as the clock goes on as usual, old versions go."""
        assert tidying(None, NOW) == ("tidy", NOW)
        assert tidying(NOW - DAY, NOW) == ("tidy", NOW)
        assert tidying(NOW, NOW) == ("tidy", NOW)

    def test_clock_that_jumped_ahead(self) -> None:
        """After a jump of years nothing goes for a day; then the clock is believed."""
        ahead = NOW + 4000 * DAY
        verdict, again = tidying(NOW, ahead)

        assert (verdict, again) == ("wait", ahead + DAY)
        assert tidying(again, ahead + DAY / 2) == ("wait", again)
        assert tidying(again, ahead + DAY) == ("tidy", ahead + DAY)

    def test_clock_that_was_put_right(self) -> None:
        """A clock that went back ends the waiting: less is old by it."""
        _, again = tidying(NOW, NOW + 4000 * DAY)

        assert tidying(again, NOW) == ("tidy", NOW)


class TestSearch:
    @pytest.mark.parametrize(
        ("written", "plain"),
        [
            ("Über", "uber"),
            ("STRASSE", "strasse"),
            ("Straße", "strasse"),
            ("Ｚｏë", "zoe"),
            ("Ça va", "ca va"),
            ("İstanbul", "istanbul"),
            ("Ελλάδα", "ελλαδα"),
            ("שָׁלוֹם", "שלום"),
        ],
    )
    def test_folded(self, written: str, plain: str) -> None:
        """Case, accents, points and width make no difference."""
        assert folded_text(written) == plain

    def test_no_words(self) -> None:
        """Without words nothing is found."""
        item = READER.item(ONE)
        assert item is not None
        assert Query.of(" ").slots(item) == []

    def test_no_word_across_texts(self) -> None:
        """A word is not found where one text ends and the next begins."""
        item = READER.item(text("Round", "LOCATION:About"))
        assert item is not None

        assert Query.of("about round").slots(item) == [None]
        assert Query.of("roundabout").slots(item) == []

    def test_occurrence(self) -> None:
        """Words that only one occurrence has find that occurrence."""
        series = text("Stand-up", "RRULE:FREQ=DAILY;COUNT=5")
        own = (
            b"BEGIN:VEVENT\r\nUID:a\r\nDTSTAMP:20310101T000000Z\r\n"
            b"RECURRENCE-ID:20310306T100000Z\r\nDTSTART:20310306T100000Z\r\nDURATION:PT1H\r\n"
            b"SUMMARY:Retro\r\nEND:VEVENT\r\nEND:VCALENDAR"
        )
        item = READER.item(series.replace(b"END:VCALENDAR", own))
        assert item is not None

        assert [str(slot) for slot in Query.of("retro").slots(item)] == ["2031-03-06"]
