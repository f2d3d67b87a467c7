"""getSchedule, findMeetingTimes and reminderView on the wire: what is sent, what is understood."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from syncd.core.errors import BadAnswer
from syncd.core.event import Attendee
from syncd.core.free_busy import Hours
from syncd.core.wire.dialects.graph_scheduling import GraphScheduling, MeetingWish, Place
from syncd.core.wire.exchange import Answer, Request
from syncd.core.zones import WindowsZone

BERLIN = WindowsZone("W. Europe Standard Time")
GRAPH = GraphScheduling("me")
NINE, TEN = (datetime(2031, 3, 4, hour, tzinfo=UTC) for hour in (9, 10))
NOW = datetime(2031, 3, 3, tzinfo=UTC)
WINDOW = (NINE, TEN)


def answer(body: Any) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(200, {"content-type": "application/json"}, data)


def sent(request: Request) -> Any:
    assert request.body is not None
    return json.loads(request.body)


def when(text: str, zone: str | None = "UTC") -> dict[str, Any]:
    return {"dateTime": text, "timeZone": zone}


def slot(start: str = "2031-03-04T09:00:00.0000000") -> dict[str, Any]:
    return {"start": when(start), "end": when("2031-03-04T10:00:00.0000000")}


class TestSchedules:
    def test_request(self) -> None:
        """One POST to the default calendar; times are instants and come back as such."""
        request = GRAPH.schedules(["a@x.org", "room@x.org"], WINDOW, 15)

        assert (request.method, request.path) == ("POST", "/me/calendar/getSchedule")
        assert request.headers["Prefer"] == 'outlook.timezone="UTC"'
        assert sent(request) == {
            "schedules": ["a@x.org", "room@x.org"],
            "startTime": when("2031-03-04T09:00:00"),
            "endTime": when("2031-03-04T10:00:00"),
            "availabilityViewInterval": 15,
        }

    def test_another_mailbox(self) -> None:
        """A named user's requests go to that user."""
        request = GraphScheduling("boss@x.org").schedules(["a@x.org"], WINDOW, 15)

        assert request.path == "/users/boss@x.org/calendar/getSchedule"

    def read(self, *rows: Any, addresses: tuple[str, ...] = ("a@x.org",)) -> Any:
        found = GRAPH.read_schedules(answer({"value": rows}), addresses, WINDOW, 15, NOW)
        return found if len(addresses) > 1 else found[0]

    def row(self, **more: Any) -> dict[str, Any]:
        return {"scheduleId": "A@X.org", "availabilityView": "0120", **more}

    def test_answer(self) -> None:
        """The view, its entries and the working hours, under the address that was asked for."""
        hours = {
            "daysOfWeek": ["Monday", "friday"],
            "startTime": "09:30:00.0000000",
            "endTime": "17:00:00",
            "timeZone": {"name": "W. Europe Standard Time"},
        }
        entry = {**slot(), "status": "Oof", "subject": "Off\nsite", "location": "Bar"}

        found = self.read(self.row(workingHours=hours, scheduleItems=[entry]))

        assert (found.address, found.view, found.asked_at) == ("a@x.org", "0120", NOW)
        (taken,) = found.entries
        assert (taken.status, taken.start, taken.end) == ("oof", NINE, TEN)
        assert (taken.subject, taken.location) == ("Off site", "Bar")
        assert found.hours == Hours((0, 4), time(9, 30), time(17), BERLIN)

    def test_order(self) -> None:
        """Answers may come in any order; what is missing is an error of its own."""
        rows = [
            self.row(scheduleId=one, availabilityView=view)
            for one, view in (("b@x", "1"), ("a@x", "2"))
        ]

        found = self.read(*rows, addresses=("a@x", "c@x", "b@x"))

        assert [one.view for one in found] == ["2", "", "1"]
        assert [bool(one.error) for one in found] == [False, True, False]

    def test_error_of_an_address(self) -> None:
        """It is told with its code, on one line, and the address has no view."""
        error = {"message": "Unable to\r\nresolve", "responseCode": "5009"}

        found = self.read({"scheduleId": "a@x.org", "error": error})

        assert found.error == "Unable to resolve (5009)"
        assert found.view == ""

    @pytest.mark.parametrize("error", [{}, {"message": None, "responseCode": None}])
    def test_error_without_words(self, error: Any) -> None:
        """Even then it is an error."""
        assert self.read(self.row(error=error)).error

    def test_view_without_end(self) -> None:
        """No more digits are kept than the window has intervals."""
        assert self.read(self.row(availabilityView="2" * 9999)).view == "2222"

    @pytest.mark.parametrize(
        ("zone", "offset_min"),
        [
            ({"name": "Customized Time Zone", "bias": -210}, 210),
            (
                {
                    "name": "Customized Time Zone",
                    "bias": -210,
                    "daylightOffset": {"daylightBias": -60},
                },
                None,
            ),
            ({"name": "Customized Time Zone"}, None),
            ({"name": "Customized Time Zone", "bias": 99999}, None),
            ({"name": None}, None),
        ],
    )
    def test_hours_in_a_zone_of_ones_own(self, zone: Any, offset_min: int | None) -> None:
        """One that is an offset is understood; one with rules of its own is better not shown."""
        hours = {"daysOfWeek": ["monday"], "startTime": "09:00:00", "endTime": "17:00:00"}

        found = self.read(self.row(workingHours={**hours, "timeZone": zone})).hours

        assert (found.offset_min if found else None) == offset_min

    @pytest.mark.parametrize(
        "hours",
        [
            None,
            {},
            {"startTime": "soon", "endTime": "17:00:00"},
            {"startTime": "09:00+01", "endTime": "17:00:00"},
            {"startTime": "25:00:00", "endTime": "17:00:00"},
        ],
    )
    def test_hours_that_are_none(self, hours: Any) -> None:
        """They are not marked."""
        assert self.read(self.row(workingHours=hours)).hours is None

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"\xff",
            b"[" * 100_000,
            {},
            {"value": None},
            {"value": [7]},
            {"value": [{"scheduleId": "a@x.org", "availabilityView": 7}]},
            {"value": [{"scheduleId": "a@x.org", "availabilityView": "0", "scheduleItems": [{}]}]},
            {
                "value": [
                    {
                        "scheduleId": "a@x.org",
                        "availabilityView": "0",
                        "scheduleItems": [slot("0000-13-99")],
                    }
                ]
            },
            {
                "value": [
                    {
                        "scheduleId": "a@x.org",
                        "availabilityView": "0",
                        "scheduleItems": [slot("9999-12-31T23:59:59")],
                    }
                ]
            },
        ],
    )
    def test_hostile(self, body: Any) -> None:
        """What cannot be read is the service's fault, and said so."""
        with pytest.raises(BadAnswer):
            GRAPH.read_schedules(answer(body), ["a@x.org"], WINDOW, 15, NOW)


class TestMeetingTimes:
    def wish(self, **more: Any) -> MeetingWish:
        given: dict[str, Any] = {
            "attendees": (Attendee("a@x.org"),),
            "duration_s": 2700,
            "slots": (WINDOW,),
            "zone": BERLIN,
        }
        return MeetingWish(**{**given, **more})

    def test_every_parameter(self) -> None:
        """All that Graph takes is sent, the reasons always asked for."""
        wish = self.wish(
            attendees=(
                Attendee("a@x.org"),
                Attendee("b@x.org", type="optional"),
                Attendee("room@x.org", type="resource"),
            ),
            places=(Place("Hood", "hood@x.org"), Place("Bar")),
            suggest_place=True,
            place_required=True,
            minimum_percent=75.5,
            most=3,
            activity="unrestricted",
            organizer_optional=True,
        )

        request = GRAPH.meeting_times(wish)

        assert (request.method, request.path) == ("POST", "/me/findMeetingTimes")
        assert sent(request) == {
            "attendees": [
                {"type": "required", "emailAddress": {"address": "a@x.org"}},
                {"type": "optional", "emailAddress": {"address": "b@x.org"}},
                {"type": "resource", "emailAddress": {"address": "room@x.org"}},
            ],
            "isOrganizerOptional": True,
            "locationConstraint": {
                "isRequired": True,
                "suggestLocation": True,
                "locations": [
                    {
                        "displayName": "Hood",
                        "resolveAvailability": True,
                        "locationEmailAddress": "hood@x.org",
                    },
                    {"displayName": "Bar", "resolveAvailability": True},
                ],
            },
            "maxCandidates": 3,
            "meetingDuration": "PT45M",
            "minimumAttendeePercentage": 75.5,
            "returnSuggestionReasons": True,
            "timeConstraint": {
                "activityDomain": "unrestricted",
                "timeSlots": [
                    {
                        "start": when("2031-03-04T10:00:00", BERLIN),
                        "end": when("2031-03-04T11:00:00", BERLIN),
                    }
                ],
            },
        }

    def test_little_said(self) -> None:
        """What was not said is left to the service, but for rooms: none is suggested unasked."""
        body = sent(GRAPH.meeting_times(self.wish()))

        assert not {"maxCandidates", "minimumAttendeePercentage"} & body.keys()
        assert body["locationConstraint"] == {
            "isRequired": False,
            "suggestLocation": False,
            "locations": [],
        }

    @pytest.mark.parametrize(("seconds", "text"), [(90, "PT90S"), (3600, "PT60M")])
    def test_durations(self, seconds: int, text: str) -> None:
        """In minutes, where they are whole ones."""
        assert sent(GRAPH.meeting_times(self.wish(duration_s=seconds)))["meetingDuration"] == text

    def test_hour_that_is_twice(self) -> None:
        """A time that the mailbox's clocks would tell twice is told in UTC."""
        late = datetime(2031, 10, 26, 1, 30, tzinfo=UTC)  # the second half past two in Berlin
        slots = ((late - timedelta(hours=1), late),)

        (told,) = sent(GRAPH.meeting_times(self.wish(slots=slots)))["timeConstraint"]["timeSlots"]

        assert told == {
            "start": when("2031-10-26T02:30:00", BERLIN),
            "end": when("2031-10-26T01:30:00"),
        }

    def test_answer(self) -> None:
        """Times, people and places, in the service's order."""
        rows = [
            {"order": 2, "meetingTimeSlot": slot(), "confidence": 49},
            {
                "order": 1,
                "meetingTimeSlot": {
                    "start": when("2031-03-04T10:00:00.0000000", BERLIN),
                    "end": when("2031-03-04T10:00:00.0000000"),
                },
                "confidence": 74.5,
                "organizerAvailability": "Free",
                "attendeeAvailability": [
                    {"availability": "busy", "attendee": {"emailAddress": {"address": "a@x.org"}}},
                    {
                        "availability": "asleep",
                        "attendee": {"emailAddress": {"address": "b@x.org"}},
                    },
                    {"availability": "free", "attendee": None},
                ],
                "locations": [
                    {"displayName": "Hood", "locationEmailAddress": "hood@x.org"},
                    {"displayName": None},
                ],
                "suggestionReason": "Nearest",
            },
        ]

        found = GRAPH.read_meeting_times(answer({"meetingTimeSuggestions": rows}))

        best, other = found.suggestions
        assert (best.start, best.end, best.confidence, best.organizer) == (NINE, TEN, 74.5, "free")
        assert best.people == (("a@x.org", "busy"), ("b@x.org", "unknown"))
        assert best.places == (Place("Hood", "hood@x.org"),)
        assert best.reason == "Nearest"
        assert (other.confidence, other.organizer, other.people) == (49, "unknown", ())
        assert found.empty_reason == ""

    @pytest.mark.parametrize("rows", [None, []])
    def test_nothing_found(self, rows: Any) -> None:
        """The service's word for it is kept."""
        body = {"meetingTimeSuggestions": rows, "emptySuggestionsReason": "AttendeesUnavailable"}

        found = GRAPH.read_meeting_times(answer(body))

        assert (found.suggestions, found.empty_reason) == ((), "AttendeesUnavailable")

    @pytest.mark.parametrize(
        "row",
        [
            None,
            {},
            {"meetingTimeSlot": {"start": when("2031-03-04T09:00:00")}},
            {"meetingTimeSlot": {**slot(), "start": when("2031-03-04T09:00:00", "Moon Time")}},
            {"meetingTimeSlot": slot(), "confidence": "high"},
            {"meetingTimeSlot": slot(), "locations": "Bar"},
        ],
    )
    def test_hostile(self, row: Any) -> None:
        """A suggestion without a time that can be used is no suggestion."""
        with pytest.raises(BadAnswer):
            GRAPH.read_meeting_times(answer({"meetingTimeSuggestions": [row]}))

    def test_endless_words(self) -> None:
        """Texts are cut to what a person reads, on one line."""
        row = {"meetingTimeSlot": slot(), "suggestionReason": "so\n" * 9999, "confidence": 1e9}

        (found,) = GRAPH.read_meeting_times(answer({"meetingTimeSuggestions": [row]})).suggestions

        assert len(found.reason) <= 255
        assert "\n" not in found.reason
        assert found.confidence == 100


class TestReminders:
    def test_request(self) -> None:
        """The window is in UTC, and so is the answer."""
        request = GRAPH.reminders(WINDOW)

        assert request.path == (
            "/me/reminderView(startDateTime='2031-03-04T09%3A00%3A00.0000000',"
            "endDateTime='2031-03-04T10%3A00%3A00.0000000')"
        )
        assert request.headers["Prefer"] == 'outlook.timezone="UTC"'
        assert GRAPH.follow("https://x/next").headers == request.headers

    def row(self, **more: Any) -> dict[str, Any]:
        return {
            "eventId": "E1",
            "eventSubject": "Lunch",
            "eventStartTime": when("2031-03-04T09:00:00.0000000"),
            "eventEndTime": when("2031-03-04T10:00:00.0000000"),
            "reminderFireTime": when("2031-03-04T09:45:00.0000000", "W. Europe Standard Time"),
            "eventLocation": {"displayName": "Bar"},
            "eventWebLink": "https://x/" + "y" * 400,
            **more,
        }

    def test_answer(self) -> None:
        """Each with its event and the time at which it fires, in whatever zone that is told."""
        body = {"value": [self.row()], "@odata.nextLink": "https://x/next"}

        (found,), link = GRAPH.read_reminders(answer(body))

        assert (found.event_id, found.subject, found.location) == ("E1", "Lunch", "Bar")
        assert (found.start, found.end) == WINDOW
        assert found.fires_at == NINE - timedelta(minutes=15)
        assert len(found.link) == 410
        assert link == "https://x/next"

    @pytest.mark.parametrize(
        "more", [{"eventId": None}, {"reminderFireTime": None}, {"eventStartTime": when("never")}]
    )
    def test_hostile(self, more: Any) -> None:
        """A reminder of nothing, or at no time, cannot be read."""
        with pytest.raises(BadAnswer):
            GRAPH.read_reminders(answer({"value": [self.row(**more)]}))

    def test_little_said(self) -> None:
        """Subject, place and link may be missing."""
        bare = {"eventSubject": None, "eventLocation": None, "eventWebLink": None}

        ((found,), _) = GRAPH.read_reminders(answer({"value": [self.row(**bare)]}))

        assert (found.subject, found.location, found.link) == ("", "", "")


class TestMailbox:
    def test_own_address(self) -> None:
        """The mail address, else the name that one signs in with."""
        both = {"mail": "me@x.org", "userPrincipalName": "me@y.org"}

        assert GRAPH.read_own_address(answer(both)) == "me@x.org"
        assert GRAPH.read_own_address(answer({**both, "mail": None})) == "me@y.org"
        assert GRAPH.read_own_address(answer({})) == ""

    def test_default_calendar(self) -> None:
        """Its id, without which there is none."""
        assert GRAPH.read_default_calendar(answer({"id": "C1"})) == "C1"
        with pytest.raises(BadAnswer):
            GRAPH.read_default_calendar(answer({}))
