"""
The operations of the calendar API beyond events, as Microsoft's own msgraph-sdk asks for them.

Each test says what arrived in the simulated service, and what the library made of the answers.
"""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

from syncd.simulator.attachments import FileContent, ItemContent
from tests.clients.graph_clients import (
    ADA,
    BOB,
    CAROL,
    LARGE,
    QUIET,
    Sdk,
    contents,
    event,
    invited,
    mails,
    organized,
    subjects,
)

pytestmark = QUIET

EVENT = "users.item.events.item"


# --- meetings ---


async def test_msgraph_answers_invitations(sdk: Sdk, graph: Any) -> None:
    """Yes, perhaps and no, each with a comment, one with another time; a declined event is gone."""
    events = {verb: invited(sdk.box, verb) for verb in ("accept", "tentatively_accept", "decline")}
    one = {verb: graph.me.events.by_event_id(made.id) for verb, made in events.items()}
    times = {
        "start": sdk.wall("2026-03-05T14:00:00"),
        "end": sdk.wall("2026-03-05T15:00:00"),
    }
    said = {"comment": "Of course", "send_response": True}
    await one["accept"].accept.post(sdk.body(f"{EVENT}.accept", **said))
    said = {"comment": "Later?", "send_response": True}
    perhaps = sdk.body(
        f"{EVENT}.tentatively_accept", proposed_new_time=sdk.model("time_slot", **times), **said
    )
    await one["tentatively_accept"].tentatively_accept.post(perhaps)
    said = {"comment": "Not me", "send_response": True}
    await one["decline"].decline.post(sdk.body(f"{EVENT}.decline", **said))

    to = (CAROL.address,)
    assert mails(sdk) == [
        ("response", "accepted", "Of course", to),
        ("response", "tentativelyAccepted", "Later?", to),
        ("response", "declined", "Not me", to),
    ]
    assert subjects(sdk.box) == ["accept", "tentatively_accept"]
    accepted, unsure = [await one[verb].get() for verb in ("accept", "tentatively_accept")]
    assert (accepted.response_status.response.value, accepted.show_as.value) == ("accepted", "busy")
    assert unsure.response_status.response.value == "tentativelyAccepted"
    assert unsure.show_as.value == "tentative"
    with sdk.refused() as gone:
        await one["decline"].get()
    assert gone.value.response_status_code == 404


async def test_msgraph_proposes_no_time_where_none_is_wanted(sdk: Sdk, graph: Any) -> None:
    """An organizer who takes no proposals gets none, and the answer is not given."""
    made = invited(sdk.box, "As it is", allowNewTimeProposals=False)
    slot = sdk.model(
        "time_slot", start=sdk.wall("2026-03-05T14:00:00"), end=sdk.wall("2026-03-05T15:00:00")
    )
    body = sdk.body(f"{EVENT}.decline", send_response=True, proposed_new_time=slot)

    with sdk.refused() as refused:
        await graph.me.events.by_event_id(made.id).decline.post(body)

    assert refused.value.response_status_code == 400
    assert (mails(sdk), subjects(sdk.box)) == ([], ["As it is"])


async def test_msgraph_answers_in_silence(sdk: Sdk, graph: Any) -> None:
    """Without a response the organizer hears nothing, but the own calendar says yes."""
    made = invited(sdk.box, "Theirs")
    one = graph.me.events.by_event_id(made.id)

    await one.accept.post(sdk.body(f"{EVENT}.accept", send_response=False))

    assert mails(sdk) == []
    assert (await one.get()).response_status.response.value == "accepted"


async def test_msgraph_cancels_a_meeting(sdk: Sdk, graph: Any) -> None:
    """The organizer's cancellation goes out with its comment; an attendee cannot cancel."""
    ours, theirs = organized(sdk.box, "Ours", BOB), invited(sdk.box, "Theirs")
    body = sdk.body(f"{EVENT}.cancel", comment="The room burnt down")

    await graph.me.events.by_event_id(ours.id).cancel.post(body)
    with sdk.refused() as refused:
        await graph.me.events.by_event_id(theirs.id).cancel.post(body)

    assert mails(sdk) == [("cancellation", "", "The room burnt down", (BOB,))]
    assert subjects(sdk.box) == ["Theirs"]
    assert refused.value.response_status_code == 400
    assert "organizer" in refused.value.error.message


async def test_msgraph_forwards_a_meeting(sdk: Sdk, graph: Any) -> None:
    """Somebody more is invited; the organizer of somebody else's meeting is told."""
    ours, theirs = organized(sdk.box, "Ours", BOB), invited(sdk.box, "Theirs")
    dave = sdk.model("email_address", name="Dave", address="dave@example.org")
    people = [sdk.model("recipient", email_address=dave)]
    body = sdk.body(f"{EVENT}.forward", comment="You too?", to_recipients=people)

    for made in (ours, theirs):
        await graph.me.events.by_event_id(made.id).forward.post(body)

    assert mails(sdk) == [
        ("forward", "", "You too?", ("dave@example.org",)),
        ("forward", "", "You too?", ("dave@example.org",)),
        ("forward-notice", "", "", (CAROL.address,)),
    ]
    again = await graph.me.events.by_event_id(ours.id).get()
    named = [(one.email_address.name, one.email_address.address) for one in again.attendees]
    assert named == [(BOB, BOB), ("Dave", "dave@example.org")]


async def test_msgraph_reads_the_days_of_a_series(sdk: Sdk, graph: Any) -> None:
    """Between two times, without the one left out and with the one that was edited."""
    master = await graph.me.events.post(
        sdk.model(
            "event",
            subject="Weekly",
            start=sdk.wall("2026-03-05T10:00:00"),
            end=sdk.wall("2026-03-05T11:00:00"),
            recurrence=sdk.series(),
        )
    )
    spring = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC))
    days = sdk.box.instances(sdk.box.default_calendar.id, *spring)
    sdk.box.patch(days[1].id, {"subject": "Once"})
    sdk.box.delete(days[2].id)
    builder = graph.me.events.by_event_id(master.id).instances

    found = await builder.get(
        sdk.asking(
            builder,
            start_date_time="2026-03-10T00:00:00Z",
            end_date_time="2026-03-27T00:00:00Z",
            select=["subject", "start", "type", "seriesMasterId"],
        )
    )

    rows = [(one.subject, one.start.date_time[:16], one.type.value) for one in found.value]
    assert rows == [
        ("Once", "2026-03-12T09:00", "exception"),
        ("Weekly", "2026-03-26T09:00", "occurrence"),
    ]
    assert {one.series_master_id for one in found.value} == {master.id}


async def test_msgraph_reads_the_calendar_of_a_group(sdk: Sdk, graph: Any) -> None:
    """The view of a group's one calendar, and the calendar itself."""
    team = sdk.service.add_group("team@simulated.example", "Team")
    team.create(team.default_calendar.id, event("Planning"))
    team.create(team.default_calendar.id, event("Next year", "2027-03-05"))
    calendar = graph.groups.by_group_id(team.user_id).calendar
    builder = calendar.calendar_view
    window = {"start_date_time": "2026-03-01T00:00:00Z", "end_date_time": "2026-04-01T00:00:00Z"}

    view = await builder.get(sdk.asking(builder, **window))
    itself = await calendar.get()

    [found] = view.value
    assert (found.subject, found.start.date_time[:16]) == ("Planning", "2026-03-05T09:00")
    assert found.organizer.email_address.address == "team@simulated.example"
    assert (itself.name, itself.owner.address) == ("Calendar", "team@simulated.example")


# --- calendars, groups, shares, categories ---


async def test_msgraph_keeps_calendars(sdk: Sdk, graph: Any) -> None:
    """One is made, renamed, coloured and deleted with what is in it; names are used once."""
    made = await graph.me.calendars.post(
        sdk.model("calendar", name="Work", color=sdk.choice("calendar_color", "lightBlue"))
    )
    assert (made.name, made.color.value, made.can_edit) == ("Work", "lightBlue", True)
    assert (made.is_default_calendar, made.is_removable) == (False, True)
    assert sdk.box.folders.calendar(made.id).name == "Work"
    with sdk.refused() as twice:
        await graph.me.calendars.post(sdk.model("calendar", name="work"))
    assert twice.value.error.code == "ErrorFolderExists"

    one = graph.me.calendars.by_calendar_id(made.id)
    red = sdk.choice("calendar_color", "lightRed")
    renamed = await one.patch(sdk.model("calendar", name="Büro"))
    coloured = await one.patch(sdk.model("calendar", color=red))
    assert (renamed.name, renamed.color.value) == ("Büro", "lightBlue")
    assert (coloured.name, coloured.color) == ("Büro", red)
    assert coloured.change_key != made.change_key
    folder = sdk.box.folders.calendar(made.id)
    assert (folder.name, folder.color) == ("Büro", "lightRed")
    listed = await graph.me.calendars.get()
    assert [each.name for each in listed.value] == ["Calendar", "Büro"]

    await one.delete()
    assert list(sdk.box.folders.calendars) == [sdk.box.default_calendar.id]
    with sdk.refused() as gone:
        await one.get()
    assert gone.value.response_status_code == 404
    with sdk.refused() as kept:
        await graph.me.calendars.by_calendar_id(sdk.box.default_calendar.id).delete()
    assert kept.value.response_status_code == 400


async def test_msgraph_keeps_calendar_groups(sdk: Sdk, graph: Any) -> None:
    """One is made, renamed, filled, emptied and deleted; the two of the service stay."""
    before = await graph.me.calendar_groups.get()
    assert [each.name for each in before.value] == ["My Calendars", "Other Calendars"]
    assert str(before.value[0].class_id) == "0006f0b7-0000-0000-c000-000000000046"

    made = await graph.me.calendar_groups.post(sdk.model("calendar_group", name="Projects"))
    one = graph.me.calendar_groups.by_calendar_group_id(made.id)
    renamed = await one.patch(sdk.model("calendar_group", name="Old projects"))
    assert (renamed.id, renamed.name) == (made.id, "Old projects")
    assert sdk.box.folders.group(made.id).name == "Old projects"

    inside = await one.calendars.post(sdk.model("calendar", name="Bridge"))
    assert sdk.box.folders.calendar(inside.id).group == made.id
    assert [each.name for each in (await one.calendars.get()).value] == ["Bridge"]
    await one.calendars.by_calendar_id(inside.id).delete()
    assert (await one.calendars.get()).value == []

    await one.delete()
    after = await graph.me.calendar_groups.get()
    assert [each.id for each in after.value] == [each.id for each in before.value]
    assert list(sdk.box.folders.groups) == [each.id for each in before.value]


async def test_msgraph_shares_a_calendar(sdk: Sdk, graph: Any) -> None:
    """A permission is given, listed, changed and taken away; the sharee has the calendar while."""
    bob = sdk.service.add_mailbox(BOB, "Bob")
    permissions = graph.me.calendar.calendar_permissions
    address = sdk.model("email_address", name="Bob", address=BOB)
    role = {name: sdk.choice("calendar_role_type", name) for name in ("read", "write")}

    made = await permissions.post(
        sdk.model("calendar_permission", email_address=address, role=role["read"])
    )
    assert (made.role, made.is_removable, made.is_inside_organization) == (role["read"], True, True)
    assert role["write"] in made.allowed_roles
    listed = await permissions.get()
    assert [(one.email_address.name, one.role.value) for one in listed.value] == [
        ("Bob", "read"),
        ("My Organization", "freeBusyRead"),
    ]
    shown = [folder for folder in bob.folders.calendars.values() if folder.shared_in]
    assert [(folder.name, folder.can_edit) for folder in shown] == [("Ada", False)]

    one = permissions.by_calendar_permission_id(made.id)
    changed = await one.patch(sdk.model("calendar_permission", role=role["write"]))
    assert (changed.id, changed.role) == (made.id, role["write"])
    assert shown[0].can_edit

    await one.delete()
    assert len((await permissions.get()).value) == 1
    assert list(bob.folders.calendars) == [bob.default_calendar.id]


async def test_msgraph_keeps_categories(sdk: Sdk, graph: Any) -> None:
    """One is made, listed, coloured anew and deleted; its name is fixed and used once."""
    categories = graph.me.outlook.master_categories
    blue, red = (sdk.choice("category_color", name) for name in ("preset7", "preset0"))
    made = await categories.post(sdk.model("outlook_category", display_name="Garten", color=blue))
    assert (made.display_name, made.color) == ("Garten", blue)
    with sdk.refused() as twice:
        await categories.post(sdk.model("outlook_category", display_name="Garten"))
    assert twice.value.response_status_code == 409

    one = categories.by_outlook_category_id(made.id)
    changed = await one.patch(sdk.model("outlook_category", color=red))
    assert (changed.id, changed.display_name, changed.color) == (made.id, "Garten", red)
    kept = sdk.box.folders.category(made.id)
    assert (kept.name, kept.color) == ("Garten", "preset0")
    listed = await categories.get()
    assert [(each.display_name, each.color) for each in listed.value] == [("Garten", red)]

    await one.delete()
    assert (await categories.get()).value == []
    assert sdk.box.folders.categories == {}


# --- attachments ---


async def test_msgraph_attaches_a_small_file(sdk: Sdk, graph: Any) -> None:
    """A file is added, listed, read and deleted."""
    target = sdk.box.create(sdk.box.default_calendar.id, event("Here"))
    one = graph.me.events.by_event_id(target.id)
    made = await one.attachments.post(
        sdk.model(
            "file_attachment", name="plan.txt", content_type="text/plain", content_bytes=b"\0one"
        )
    )
    assert contents(sdk.box, target.id) == {"plan.txt": FileContent(b"\0one")}
    assert (await one.get()).has_attachments

    listed = await one.attachments.get()
    assert [(each.id, each.name, each.odata_type) for each in listed.value] == [
        (made.id, "plan.txt", "#microsoft.graph.fileAttachment")
    ]
    found = await one.attachments.by_attachment_id(made.id).get()
    assert (found.content_type, found.content_bytes) == ("text/plain", b"\0one")
    assert found.is_inline is False
    assert found.size > len(b"\0one")

    await one.attachments.by_attachment_id(made.id).delete()
    assert contents(sdk.box, target.id) == {}
    assert (await one.attachments.get()).value == []
    assert not (await one.get()).has_attachments


async def test_msgraph_uploads_a_large_file(sdk: Sdk, graph: Any) -> None:
    """A session takes the pieces one after the other, at a URL where no token is wanted."""
    target = sdk.box.create(sdk.box.default_calendar.id, event("Here"))
    one = graph.me.events.by_event_id(target.id)
    item = sdk.model(
        "attachment_item",
        attachment_type=sdk.choice("attachment_type", "file"),
        name="film.bin",
        size=len(LARGE),
    )
    session = await one.attachments.create_upload_session.post(
        sdk.body(f"{EVENT}.attachments.create_upload_session", attachment_item=item)
    )
    assert session.next_expected_ranges == ["0-"]
    assert session.expiration_date_time > datetime.now(UTC)

    half, answers = 1_966_080, []
    async with sdk.httpx.AsyncClient(trust_env=False) as bare:
        for start in range(0, len(LARGE), half):
            piece = LARGE[start : start + half]
            told = f"bytes {start}-{start + len(piece) - 1}/{len(LARGE)}"
            headers = {"Content-Range": told, "Content-Type": "application/octet-stream"}
            answers.append(await bare.put(session.upload_url, content=piece, headers=headers))

    assert [answer.status_code for answer in answers] == [200, 201]
    assert answers[0].json()["nextExpectedRanges"] == [str(half)]
    assert contents(sdk.box, target.id) == {"film.bin": FileContent(LARGE)}
    [listed] = (await one.attachments.get()).value
    assert (listed.name, listed.content_bytes) == ("film.bin", LARGE)
    assert f"Attachments('{listed.id}')" in answers[1].headers["Location"]


async def test_msgraph_attaches_an_event(sdk: Sdk, graph: Any) -> None:
    """An item in an attachment is listed without itself, and comes when it is asked for."""
    target = sdk.box.create(sdk.box.default_calendar.id, event("Here"))
    attachments = graph.me.events.by_event_id(target.id).attachments
    inner = sdk.model(
        "event",
        subject="Holiday",
        start=sdk.wall("2026-03-05T10:00:00"),
        end=sdk.wall("2026-03-05T11:00:00"),
    )
    made = await attachments.post(sdk.model("item_attachment", name="Plan", item=inner))

    kept = contents(sdk.box, target.id)["Plan"]
    assert isinstance(kept, ItemContent)
    assert (kept.kind, kept.row["subject"]) == ("event", "Holiday")
    [listed] = (await attachments.get()).value
    assert (listed.odata_type, listed.name, listed.item) == (
        "#microsoft.graph.itemAttachment",
        "Plan",
        None,
    )
    one = attachments.by_attachment_id(made.id)
    whole = await one.get(sdk.asking(one, expand=["microsoft.graph.itemattachment/item"]))
    assert whole.item.subject == "Holiday"
    assert (whole.item.start.date_time[:16], whole.item.start.time_zone) == (
        "2026-03-05T09:00",
        "UTC",
    )


# --- reminders, times, rooms, settings ---


async def test_msgraph_puts_reminders_off(sdk: Sdk, graph: Any) -> None:
    """A reminder is seen, fires later once it is snoozed, and no more once it is dismissed."""
    made = sdk.box.create(sdk.box.default_calendar.id, event("Call", reminderMinutesBeforeStart=30))
    silent = event("Quiet", isReminderOn=False)
    sdk.box.create(sdk.box.default_calendar.id, silent)
    window = ("2026-03-05T00:00:00", "2026-03-06T00:00:00")
    named = graph.me.reminder_view_with_start_date_time_with_end_date_time(window[1], window[0])
    # The SDK's expansion of URL templates loses the comma between the two.
    arguments = f"StartDateTime='{window[0]}',EndDateTime='{window[1]}'"
    view = named.with_url(f"{sdk.server.base_url}/me/reminderView({arguments})")

    async def fires() -> list[tuple[str, str]]:
        found = (await view.get()).value
        return [(one.event_id, one.reminder_fire_time.date_time[:16]) for one in found]

    [first] = (await view.get()).value
    assert (first.event_subject, first.event_start_time.date_time[:16]) == (
        "Call",
        "2026-03-05T09:00",
    )
    assert await fires() == [(made.id, "2026-03-05T08:30")]

    one = graph.me.events.by_event_id(made.id)
    later = sdk.wall("2026-03-05T09:55:00")
    await one.snooze_reminder.post(sdk.body(f"{EVENT}.snooze_reminder", new_reminder_time=later))
    assert await fires() == [(made.id, "2026-03-05T08:55")]
    assert [signal.fires for signal in made.item.signals.values()] == [
        datetime(2026, 3, 5, 8, 55, tzinfo=UTC)
    ]

    await one.dismiss_reminder.post()
    assert await fires() == []
    assert [signal.fires for signal in made.item.signals.values()] == [None]


async def test_msgraph_finds_a_time(sdk: Sdk, graph: Any) -> None:
    """A time when both are free, in a room that is; none where there is none."""
    bob = sdk.service.add_mailbox(BOB, "Bob")
    sdk.service.add_room("blue@simulated.example", "Blue")
    sdk.box.create(sdk.box.default_calendar.id, event("Mine"))
    bob.create(bob.default_calendar.id, event("Bob's", showAs="oof"))
    address = sdk.model("email_address", address=BOB)
    required = sdk.choice("attendee_type", "required")
    attendee = sdk.model("attendee_base", email_address=address, type=required)

    def asked(start: str, end: str) -> Any:
        slot = sdk.model("time_slot", start=sdk.wall(start), end=sdk.wall(end))
        times = sdk.model("time_constraint", time_slots=[slot])
        # A timedelta the SDK writes as "1:00:00", which the service does not read.
        return sdk.body(
            "users.item.find_meeting_times",
            attendees=[attendee],
            time_constraint=times,
            meeting_duration="PT1H",
            return_suggestion_reasons=True,
        )

    morning = asked("2026-03-05T10:00:00", "2026-03-05T12:00:00")
    result = await graph.me.find_meeting_times.post(morning)
    busy = asked("2026-03-05T10:00:00", "2026-03-05T11:00:00")
    nothing = await graph.me.find_meeting_times.post(busy)

    [found] = result.meeting_time_suggestions
    slot = found.meeting_time_slot
    assert (slot.start.date_time[:16], slot.end.date_time[:16], slot.start.time_zone) == (
        "2026-03-05T10:00",
        "2026-03-05T11:00",
        "UTC",
    )
    assert (found.confidence, found.organizer_availability.value) == (100.0, "free")
    [other] = found.attendee_availability
    assert (other.attendee.email_address.address, other.availability.value) == (BOB, "free")
    assert [place.display_name for place in found.locations] == ["Blue"]
    assert (result.empty_suggestions_reason, found.suggestion_reason is None) == ("", False)
    assert nothing.meeting_time_suggestions == []
    assert nothing.empty_suggestions_reason == "OrganizerUnavailable"


async def test_msgraph_sees_who_is_busy(sdk: Sdk, graph: Any) -> None:
    """Digits, items without what is not for others, working hours; a stranger is an error."""
    bob = sdk.service.add_mailbox(BOB, "Bob")
    bob.create(bob.default_calendar.id, event("Secret", showAs="oof"))
    sdk.box.create(sdk.box.default_calendar.id, event("Mine"))
    body = sdk.body(
        "users.item.calendar.get_schedule",
        schedules=[BOB, ADA.username, "nobody@simulated.example"],
        start_time=sdk.wall("2026-03-05T09:00:00"),
        end_time=sdk.wall("2026-03-05T12:00:00"),
        availability_view_interval=60,
    )

    answer = await graph.me.calendar.get_schedule.post(body)

    his, mine, stranger = answer.value
    assert [one.schedule_id for one in answer.value] == [
        BOB,
        ADA.username,
        "nobody@simulated.example",
    ]
    assert (his.availability_view, mine.availability_view) == ("030", "020")
    [item] = his.schedule_items
    assert (item.status.value, item.subject) == ("oof", None)
    assert (item.start.date_time[:16], item.start.time_zone) == ("2026-03-05T09:00", "UTC")
    assert [one.subject for one in mine.schedule_items] == ["Mine"]
    assert (his.working_hours.start_time, his.working_hours.end_time) == (time(8), time(17))
    assert (stranger.error.response_code, stranger.availability_view) == ("5009", None)


async def test_msgraph_lists_rooms(sdk: Sdk, graph: Any) -> None:
    """All rooms, the lists of rooms, and the rooms of one list."""
    lists = {"blue": "house1@simulated.example", "red": "house2@simulated.example"}
    for name, house in lists.items():
        sdk.service.add_room(
            f"{name}@simulated.example",
            name.title(),
            room_list=house,
            properties={"capacity": 8, "building": house.partition("@")[0]},
        )

    rooms = (await graph.places.graph_room.get()).value
    houses = (await graph.places.graph_room_list.get()).value
    first = graph.places.by_place_id(lists["blue"])
    inside = (await first.graph_room_list.rooms.get()).value

    assert [(room.display_name, room.email_address, room.capacity) for room in rooms] == [
        ("Blue", "blue@simulated.example", 8),
        ("Red", "red@simulated.example", 8),
    ]
    assert [house.email_address for house in houses] == list(lists.values())
    assert [(room.id, room.building) for room in inside] == [(rooms[0].id, "house1")]


async def test_msgraph_reads_the_mailbox_settings(sdk: Sdk, graph: Any) -> None:
    """The zone, the hours and the language that somebody set."""
    sdk.box.folders.change_settings(
        {
            "timeZone": "W. Europe Standard Time",
            "workingHours": {"daysOfWeek": ["monday", "friday"], "startTime": "09:30:00.0000000"},
        }
    )

    found = await graph.me.mailbox_settings.get()

    assert (found.time_zone, found.language.locale) == ("W. Europe Standard Time", "en-US")
    assert [day.value for day in found.working_hours.days_of_week] == ["monday", "friday"]
    hours = found.working_hours
    assert (hours.start_time, hours.end_time) == (time(9, 30), time(17))
    assert hours.time_zone.name == "UTC"
    assert found.automatic_replies_setting.status.value == "disabled"
    assert found.user_purpose.value == "user"
