"""
Free and busy: which times suit a meeting, and how other people's calendars look.
"""

import json
import re
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.simulator.mailbox import Mailbox
from syncd.simulator.tokens import StaticTokens
from tests.simulator.mailbox_world import ME, Client, Reply, serving, single, weekly, when

SEEDS = sorted((Path(__file__).parents[3] / "shared" / "seeds").glob("000_*.txt"))
ANN, BOB = "ann@example.org", "bob@example.org"
PACIFIC = "Pacific Standard Time"
# A Tuesday of 2031, when the mailboxes here work from eight to five in UTC.
TUESDAY = "2031-03-04"


@pytest.fixture
async def graph() -> AsyncIterator[Client]:
    async with serving() as client:
        yield client


def utc(text: str) -> dict[str, str]:
    return when(text if "T" in text else f"{TUESDAY}T{text}:00", "UTC")


def slot(start: str = "08:00", end: str = "17:00") -> dict[str, Any]:
    return {"start": utc(start), "end": utc(end)}


def attendee(address: str, kind: str = "required") -> dict[str, Any]:
    return {"type": kind, "emailAddress": {"address": address}}


def block(box: Mailbox, start: str, end: str, status: str = "busy", **more: Any) -> None:
    times = {"start": utc(start), "end": utc(end)}
    box.create(box.default_calendar.id, {"subject": "Taken", "showAs": status, **times, **more})


async def find(
    graph: Client, *attendees: str, slots: Any = None, domain: str = "work", **more: Any
) -> Any:
    body = {
        "attendees": [attendee(address) for address in attendees],
        "timeConstraint": {"activityDomain": domain, "timeSlots": slots or [slot()]},
        "meetingDuration": "PT1H",
        **more,
    }
    reply = await graph.post("/me/findMeetingTimes", body)
    assert reply.status == 200, reply.data
    return reply.data


def starts(found: Any) -> list[str]:
    slots = (row["meetingTimeSlot"] for row in found["meetingTimeSuggestions"])
    return [row["start"]["dateTime"][11:16] for row in slots]


# ---- the vendor's worked examples


def samples() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield request and answer of each example, in the names that Graph has for them."""
    text = SEEDS[0].read_text("utf-8", errors="replace")
    text = re.sub(r'("Conf room Hood")(\s+"LocationType")', r"\1,\2", text)
    text = text.replace("T7:00:00", "T07:00:00")
    for part in text.split("/me/findmeetingtimes\n")[1:]:
        if part.lstrip().startswith("Prefer"):
            request, answer = part.split("Status code: 200", 1)
            yield first_json(request), first_json(answer)


def first_json(text: str) -> dict[str, Any]:
    found: dict[str, Any] = camel(json.JSONDecoder().raw_decode(text[text.index("{") :])[0])
    return found


def camel(value: Any) -> Any:
    if isinstance(value, list):
        return [camel(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for name, inner in value.items():
        key, words = name[:1].lower() + name[1:], {"Type", "LocationType", "Availability"}
        is_word = name in words or name == "OrganizerAvailability"
        found[key] = inner[:1].lower() + inner[1:] if is_word else camel(inner)
    return found


def local(value: dict[str, str]) -> datetime:
    return datetime.fromisoformat(value["dateTime"][:19])


def plant(box: Mailbox, window: Any, status_at: dict[tuple[datetime, datetime], str]) -> None:
    """Make a calendar that is busy in a window except where a status is given."""
    at = local(window["start"])
    for (start, end), status in [*sorted(status_at.items()), ((local(window["end"]),) * 2, "free")]:
        for shown, first, last in (("busy", at, start), (status, start, end)):
            if shown != "free" and first < last:
                wall = [when(moment.isoformat(), PACIFIC) for moment in (first, last)]
                body = {"start": wall[0], "end": wall[1], "showAs": shown}
                box.create(box.default_calendar.id, body)
        at = end


def plant_example(graph: Client, request: dict[str, Any], answer: dict[str, Any]) -> None:
    """Make the calendars that an example tells of: nobody has time but when it says so."""
    (window,) = request["timeConstraint"]["timeslots"]
    rows = answer["meetingTimeSuggestions"]
    spans = [(span["start"], span["end"]) for span in (row["meetingTimeSlot"] for row in rows)]
    times = [(local(start), local(end)) for start, end in spans]
    statuses = {
        person["emailAddress"]["address"]: [
            row["attendeeAvailability"][number]["availability"] for row in rows
        ]
        for number, person in enumerate(request["attendees"])
    }
    for address, found in (statuses or {ME: ["free"] * len(rows)}).items():
        box = graph.service.known(address) or graph.service.add_mailbox(address)
        plant(box, window, dict(zip(times, found, strict=True)))
    for number, (time, row) in enumerate(zip(times, rows, strict=True)):
        # Where none was asked for, each time has a room of its own.
        if row["locations"] and "locationConstraint" not in request:
            room = graph.service.add_room(f"r{number}@x.org", row["locations"][0]["displayName"])
            plant(graph.service.mailbox(room.address), window, {time: "free"})
    for box in graph.service.mailboxes:
        hours = {"timeZone": {"name": PACIFIC}}
        box.folders.change_settings({"timeZone": PACIFIC, "workingHours": hours})


@pytest.mark.skipif(not SEEDS, reason="no pages of the vendor beside the repository")
@pytest.mark.parametrize("number", range(5))
async def test_a_worked_example_of_the_vendor_comes_out_as_printed(
    graph: Client, number: int
) -> None:
    """Times, confidence, availability, places, reasons and the empty result."""
    request, answer = list(samples())[number]
    plant_example(graph, request, answer)

    reply = await graph.post(
        "/me/findMeetingTimes", request, {"Prefer": f'outlook.timezone="{PACIFIC}"'}
    )

    assert reply.status == 200, reply.data
    assert reply.data["emptySuggestionsReason"] == answer["emptySuggestionsReason"]
    found, wanted = reply.data["meetingTimeSuggestions"], answer["meetingTimeSuggestions"]
    assert [row.pop("order") for row in found] == list(range(1, len(wanted) + 1))
    for row in (*found, *wanted):  # the forms of a place differ between the vendor's own pages
        row["locations"] = [place["displayName"] for place in row["locations"]]
    assert found == wanted


# ---- findMeetingTimes


async def test_confidence_is_the_mean_over_the_attendees(graph: Client) -> None:
    """Free 100, unknown 49, busy 0: three of them make 49.66, less than the half it takes."""
    graph.service.add_mailbox(ANN)
    block(graph.service.add_mailbox(BOB), "08:00", "17:00")
    three = (ANN, "stranger@example.com", BOB)

    refused = await find(graph, *three)
    found = await find(graph, *three, minimumAttendeePercentage=49)

    assert refused["emptySuggestionsReason"] == "AttendeesUnavailableOrUnknown"
    best = found["meetingTimeSuggestions"][0]
    assert best["confidence"] == pytest.approx(49.66, abs=0.01)
    statuses = [row["availability"] for row in best["attendeeAvailability"]]
    assert statuses == ["free", "unknown", "busy"]


@pytest.mark.parametrize(
    ("status", "confidence"), [("free", 100), ("workingElsewhere", 100), ("unknown", 49)]
)
async def test_each_status_has_its_chance(graph: Client, status: str, confidence: int) -> None:
    """Elsewhere is still at work."""
    block(graph.service.add_mailbox(ANN), "08:00", "17:00", status)

    found = await find(graph, ANN, minimumAttendeePercentage=1)

    assert found["meetingTimeSuggestions"][0]["confidence"] == confidence


@pytest.mark.parametrize("percent", [0, 49])
async def test_the_chance_of_somebody_tentative_is_not_known(percent: int) -> None:
    """The documentation gives none; tests may run with either."""
    async with serving(tentative_chance_percent=percent) as graph:
        block(graph.service.add_mailbox(ANN), "08:00", "17:00", "tentative")

        found = await find(graph, ANN, minimumAttendeePercentage=0)

        assert found["meetingTimeSuggestions"][0]["confidence"] == percent


async def test_better_times_come_first_and_equal_ones_in_their_order(graph: Client) -> None:
    """A later time that suits all comes before an earlier one that suits most."""
    graph.service.add_mailbox(ANN)
    block(graph.service.add_mailbox(BOB), "08:00", "15:00", "unknown")

    found = await find(graph, ANN, BOB)

    rows = found["meetingTimeSuggestions"]
    assert starts(found) == ["15:00", "16:00", "08:00", "09:00", "10:00"]
    assert [row["confidence"] for row in rows] == [100, 100, 74.5, 74.5, 74.5]
    assert [row["order"] for row in rows] == [1, 2, 3, 4, 5]


async def test_a_meeting_begins_on_the_hour_or_half_past(graph: Client) -> None:
    """From a quarter to eleven on, the first time is eleven; what does not fit is not suggested."""
    half = {"meetingDuration": "PT30M"}

    found = await find(graph, slots=[slot("10:45", "11:45")], **half)
    none = await find(graph, slots=[slot("10:45", "11:15")], **half)

    assert starts(found) == ["11:00"]
    assert none["meetingTimeSuggestions"] == []
    assert none["emptySuggestionsReason"] == "Unknown"


async def test_no_more_are_suggested_than_asked_for(graph: Client) -> None:
    """None overlaps another; several slots are searched."""
    slots = [slot("13:00", "15:00"), slot("08:00", "09:30")]

    assert starts(await find(graph, slots=slots, maxCandidates=2)) == ["08:00", "13:00"]
    assert starts(await find(graph, slots=slots)) == ["08:00", "13:00", "14:00"]
    assert len(starts(await find(graph))) == 5


@pytest.mark.parametrize(
    ("domain", "begins"),
    [
        ("work", ["16:00"]),
        ("unknown", ["16:00"]),
        ("personal", ["16:00", "08:00"]),
        ("unrestricted", ["16:00", "17:00"]),
    ],
)
async def test_the_activity_decides_which_hours_are_open(
    graph: Client, domain: str, begins: list[str]
) -> None:
    """From Friday at four to Saturday at nine, two times at most."""
    slots = [{"start": utc("2031-03-07T16:00:00"), "end": utc("2031-03-08T09:00:00")}]

    found = await find(graph, slots=slots, domain=domain, maxCandidates=2)

    assert starts(found) == begins


async def test_work_is_done_in_the_hours_of_everybody(graph: Client) -> None:
    """Each in the own zone, some at night; rooms have no hours."""
    graph.service.add_mailbox(ANN).folders.change_settings(
        {"workingHours": {"timeZone": {"name": "Eastern Standard Time"}}}
    )
    graph.service.add_room("room@example.org")
    people = [attendee(ANN), attendee("room@example.org", "resource")]
    day = [{"start": utc("00:00"), "end": utc("2031-03-05T03:00:00")}]
    found = []
    for opens, closes in (("06:00:00", "19:00:00"), ("20:00:00", "02:00:00")):
        hours = {"startTime": opens, "endTime": closes, "daysOfWeek": ["tuesday"]}
        graph.mailbox.folders.change_settings({"workingHours": hours})
        found.append(starts(await find(graph, attendees=people, slots=day, maxCandidates=9)))

    evening = ["13:00", "14:00", "15:00", "16:00", "17:00", "18:00"]
    assert found == [evening, ["20:00", "21:00"]]


async def test_an_organizer_without_time_is_a_reason_unless_optional(graph: Client) -> None:
    """Tentative does not stand in the way."""
    block(graph.mailbox, "08:00", "16:00")
    block(graph.mailbox, "16:00", "17:00", "tentative")
    graph.service.add_mailbox(ANN)
    morning = [slot("09:00", "10:00")]

    refused = await find(graph, ANN, slots=morning)
    optional = await find(graph, ANN, slots=morning, isOrganizerOptional="true")
    tentative = await find(graph, ANN)

    assert refused["emptySuggestionsReason"] == "OrganizerUnavailable"
    assert optional["meetingTimeSuggestions"][0]["organizerAvailability"] == "busy"
    assert starts(tentative) == ["16:00"]


async def test_instances_of_a_series_take_time_and_what_shows_as_free_does_not(
    graph: Client,
) -> None:
    """Of the primary calendar alone."""
    ann = graph.service.add_mailbox(ANN)
    ann.create(ann.default_calendar.id, weekly("2031-02-04", count=None, zone="UTC"))
    block(ann, "10:00", "11:00", "free")
    other = ann.folders.add("Other")
    ann.create(other.id, single("Elsewhere", f"{TUESDAY}T11:00:00", f"{TUESDAY}T12:00:00", "UTC"))

    found = await find(graph, ANN, slots=[slot("08:30", "12:30")])

    assert starts(found) == ["09:30", "10:30", "11:30"]


async def test_a_required_place_that_is_taken_leaves_no_time(graph: Client) -> None:
    """Another room will do where the named one is to be resolved."""
    room = graph.service.add_room("hood@example.org", "Hood")
    block(graph.service.mailbox(room.address), "08:00", "17:00")
    named = {"displayName": "Hood", "locationEmailAddress": "hood@example.org"}
    wish = {"isRequired": True, "locations": [named]}

    taken = await find(graph, locationConstraint=wish)
    as_named = await find(
        graph, locationConstraint={**wish, "locations": [{**named, "resolveAvailability": False}]}
    )
    graph.service.add_room("rainier@example.org", "Rainier")
    instead = await find(graph, locationConstraint=wish)
    both = await find(graph, locationConstraint={"locations": [named, {"displayName": "Rainier"}]})

    assert taken["emptySuggestionsReason"] == "LocationsUnavailable"
    for found, name in ((as_named, "Hood"), (instead, "Rainier"), (both, "Rainier")):
        (place,) = found["meetingTimeSuggestions"][0]["locations"]
        assert place["displayName"] == name


async def test_a_place_is_suggested_on_request(graph: Client) -> None:
    """The first free room; none when nothing was asked but that no room is needed."""
    for name in ("Hood", "Rainier"):
        graph.service.add_room(f"{name}@example.org", name, mailbox=name == "Hood")
    block(graph.service.mailbox("hood@example.org"), "08:00", "09:00")

    asked = await find(graph, locationConstraint={"suggestLocation": True})
    unasked = await find(graph, locationConstraint={"isRequired": False})

    names = [row["locations"][0]["displayName"] for row in asked["meetingTimeSuggestions"]]
    assert names[:2] == ["Rainier", "Hood"]
    assert unasked["meetingTimeSuggestions"][0]["locations"] == []


async def test_without_time_slots_the_coming_week_is_searched(graph: Client) -> None:
    """All parameters are optional; the service's clock stands on a Saturday."""
    reply = await graph.ask("POST", "/me/findMeetingTimes")

    rows = reply.data["meetingTimeSuggestions"]
    assert rows[0]["meetingTimeSlot"]["start"] == utc("2031-03-03T08:00:00.0000000")
    assert local(rows[0]["meetingTimeSlot"]["end"]) - datetime(2031, 3, 3, 8) == timedelta(
        minutes=30
    )


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"meetingLength": "PT1H"}, "RequestBodyRead"),
        ({"meetingDuration": "1 hour"}, "RequestBodyRead"),
        ({"meetingDuration": "PT0M"}, "ErrorPropertyValidationFailure"),
        ({"minimumAttendeePercentage": 101}, "ErrorPropertyValidationFailure"),
        ({"maxCandidates": "many"}, "RequestBodyRead"),
        ({"attendees": {"address": ANN}}, "RequestBodyRead"),
        ({"attendees": [{"type": "required"}]}, "ErrorInvalidRecipients"),
        ({"timeConstraint": {"activityDomain": "sport"}}, "RequestBodyRead"),
        ({"timeConstraint": {"timeSlots": [slot("10:00", "09:00")]}}, "ErrorInvalidRequest"),
        (
            {"timeConstraint": {"timeSlots": [{"start": when("2031-01-01T00:00", "Mars")}]}},
            "TimeZoneNotSupportedException",
        ),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(
    graph: Client, body: Any, code: str
) -> None:
    """400, with the code that tells why."""
    reply = await graph.post("/me/findMeetingTimes", body)

    assert (reply.status, reply.data["error"]["code"]) == (400, code)


async def test_only_people_with_a_scope_for_shared_calendars_may_search() -> None:
    """An application may not search at all; it may look up free and busy times."""
    async with serving(tokens=StaticTokens(scopes=frozenset({"Calendars.ReadWrite"}))) as graph:
        assert (await graph.post("/me/findMeetingTimes", {})).status == 403
        graph.token = "app-x"
        assert (await graph.post(f"/users/{ME}/findMeetingTimes", {})).status == 403
        body = {"schedules": [ME], "startTime": utc("08:00"), "endTime": utc("09:00")}
        assert (await graph.post(f"/users/{ME}/calendar/getSchedule", body)).status == 200


# ---- getSchedule


async def schedules(graph: Client, *addresses: str, **more: Any) -> Reply:
    span = {"startTime": utc("08:00"), "endTime": utc("12:00")}
    zone = {"Prefer": f'outlook.timezone="{PACIFIC}"'}
    body = {"schedules": list(addresses), **span, **more}
    return await graph.post("/me/calendar/getSchedule", body, zone)


async def test_a_schedule_has_a_digit_for_each_interval(graph: Client) -> None:
    """What is strongest in an interval shows; the last one may be shorter."""
    ann = graph.service.add_mailbox(ANN)
    kinds = ("tentative", "busy", "oof", "workingElsewhere", "free")
    for hour, status in enumerate(kinds, 8):
        block(ann, f"{hour:02}:00", f"{hour:02}:30", status)
    block(ann, "08:15", "08:20", "busy")

    default = await schedules(graph, ANN)
    hourly = await schedules(graph, ANN, availabilityViewInterval="60")
    odd = await schedules(graph, ANN, availabilityViewInterval=100)

    views = [reply.data["value"][0]["availabilityView"] for reply in (default, hourly, odd)]
    assert views == ["20203040", "2234", "234"]


async def test_a_schedule_lists_instances_in_the_zone_preferred(graph: Client) -> None:
    """With the working hours as they are set."""
    ann = graph.service.add_mailbox(ANN)
    ann.create(ann.default_calendar.id, weekly("2031-02-04", count=None, zone="UTC"))

    reply = await schedules(graph, ANN)

    (found,) = reply.data["value"]
    (item,) = found["scheduleItems"]
    assert item == {
        "status": "busy",
        "start": when("2031-03-04T01:00:00.0000000", PACIFIC),
        "end": when("2031-03-04T01:30:00.0000000", PACIFIC),
    }
    assert found["workingHours"] == ann.folders.settings["workingHours"]
    assert reply.headers["Preference-Applied"] == f'outlook.timezone="{PACIFIC}"'


async def test_details_are_for_those_who_may_see_them_and_never_private_ones(
    graph: Client,
) -> None:
    """Everybody sees the own details; other people's by a share, or when all may."""
    bob = graph.service.add_mailbox(BOB)
    for box in (graph.mailbox, bob):
        block(box, "08:00", "09:00", location={"displayName": "Bar"})
        block(box, "09:00", "10:00", sensitivity="private")

    before = (await schedules(graph, ME, BOB)).data["value"]
    graph.service.share(bob, bob.default_calendar.id, ME, "limitedRead")
    after = (await schedules(graph, BOB)).data["value"]

    plain, private = before[0]["scheduleItems"]
    assert (plain["subject"], plain["location"], plain["isPrivate"]) == ("Taken", "Bar", False)
    assert (private.keys() & {"subject", "location"}, private["isPrivate"]) == (set(), True)
    assert [set(item) for item in before[1]["scheduleItems"]] == [{"status", "start", "end"}] * 2
    assert after[0]["scheduleItems"] == before[0]["scheduleItems"]


async def test_an_unknown_address_is_an_error_of_its_own(graph: Client) -> None:
    """The others are answered; a calendar in the path only has to be there."""
    place = f"/me/calendars/{graph.mailbox.default_calendar.id}/getSchedule"
    body = {"Schedules": ["x@y.org", ME], "StartTime": utc("08:00"), "EndTime": utc("09:00")}

    rows = (await graph.post(place, body)).data["value"]

    assert rows[0] == {
        "scheduleId": "x@y.org",
        "error": {
            "message": "Unable to resolve e-mail address x@y.org to an Active Directory object.",
            "responseCode": "5009",
        },
    }
    assert rows[1]["availabilityView"] == "00"
    assert (await graph.post(place.replace("-_", "__"), body)).status == 404


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"availabilityViewInterval": 4}, "ErrorInvalidMergedFreeBusyInterval"),
        ({"availabilityViewInterval": 1441}, "ErrorInvalidMergedFreeBusyInterval"),
        ({"availabilityViewInterval": 300}, "ErrorInvalidMergedFreeBusyInterval"),
        ({"endTime": utc("08:00")}, "ErrorInvalidTimeInterval"),
        ({"endTime": utc("2031-05-05T08:30:00")}, "ErrorTimeIntervalTooBig"),
        ({"schedules": [ME] * 21}, "ErrorMailboxDataArrayTooBig"),
        ({"schedules": []}, "ErrorMailboxDataArrayEmpty"),
        ({"schedules": ME}, "RequestBodyRead"),
        ({"interval": 30}, "RequestBodyRead"),
    ],
)
async def test_a_schedule_beyond_the_limits_is_refused(graph: Client, more: Any, code: str) -> None:
    """Twenty addresses, sixty-two days, intervals of five minutes to a day."""
    reply = await schedules(graph, ME, **more)

    assert (reply.status, reply.data["error"]["code"]) == (400, code)
