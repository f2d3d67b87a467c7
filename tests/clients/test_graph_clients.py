"""
Two libraries for Microsoft Graph, at work on the simulated service.

O365 and Microsoft's own msgraph-sdk were written against the real service: where they get by with
the simulator, so does what it claims to be.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import pytest

from syncd.simulator.authority_values import AuthorityPolicy
from syncd.simulator.bodies import to_text
from syncd.simulator.faults import FaultKind
from syncd.simulator.folders import Person
from tests.clients.graph_clients import (
    ADA,
    BERLIN,
    QUIET,
    WINDOW,
    Office,
    Sdk,
    as_user,
    event,
    subjects,
)

pytestmark = QUIET


# --- O365 ---


async def test_o365_signs_in_and_sees_the_calendars(office: Office) -> None:
    """The real msal, the authorization code flow, and a list of calendars with their owners."""
    office.box.folders.add("Team / Ops")

    def look(account: Any) -> Any:
        schedule = account.schedule()
        default = schedule.get_default_calendar()
        named = schedule.get_calendar(calendar_name="Team / Ops")
        by_id = schedule.get_calendar(calendar_id=named.calendar_id)
        listed = [one.name for one in schedule.list_calendars()]
        return listed, default.name, default.owner.address, by_id.name

    assert await as_user(office, look) == (
        ["Calendar", "Team / Ops"],
        "Calendar",
        ADA.username,
        "Team / Ops",
    )


async def test_o365_refreshes_a_token_that_ran_out(office: Office) -> None:
    """The refused request is repeated with a new token."""
    office.authority.policy = AuthorityPolicy(access_token_life_s=0, auto_approve=ADA.username)

    def look(account: Any) -> Any:
        office.authority.policy = AuthorityPolicy()
        return account.schedule().get_default_calendar().name

    assert await as_user(office, look) == "Calendar"
    assert 401 in {one.status for one in office.server.requests.entries}


async def test_o365_creates_changes_and_deletes(office: Office) -> None:
    """A single event through its life, with all that O365 sends of it."""

    def create(account: Any) -> Any:
        made = account.schedule().get_default_calendar().new_event("Grüße 📅")
        made.body = "<p>one <b>two</b></p>"
        made.start = datetime(2026, 3, 5, 10, tzinfo=BERLIN)
        made.end = datetime(2026, 3, 5, 11, tzinfo=BERLIN)
        made.location = "Büro"
        made.remind_before_minutes = 30
        made.categories = ["Red"]
        assert made.save()
        return account, made.object_id

    account, found = await as_user(office, create)
    [item] = office.box.items(office.box.default_calendar.id)
    assert (item.values["subject"], item.values["location"]["displayName"]) == ("Grüße 📅", "Büro")
    assert (item.start.local, item.start.zone) == (
        datetime(2026, 3, 5, 10),
        "W. Europe Standard Time",
    )
    assert (item.values["reminderMinutesBeforeStart"], item.values["categories"]) == (30, ["Red"])
    assert to_text(item.values["body"]).strip() == "one two"

    def change() -> Any:
        event = account.schedule().get_default_calendar().get_event(found)
        assert event.start == datetime(2026, 3, 5, 10, tzinfo=BERLIN)
        event.subject = "Later"
        event.start = datetime(2026, 3, 5, 12, tzinfo=BERLIN)
        event.end = datetime(2026, 3, 5, 13, tzinfo=BERLIN)
        assert event.save()
        return event

    changed = await asyncio.to_thread(change)
    [item] = office.box.items(office.box.default_calendar.id)
    assert (item.values["subject"], item.start.local.hour) == ("Later", 12)
    assert item.values["location"]["displayName"] == "Büro"

    assert await asyncio.to_thread(changed.delete)
    assert subjects(office.box) == []


async def test_o365_pages_through_many_events(office: Office) -> None:
    """Every event comes once, whatever the size of a page."""
    for number in range(23):
        office.box.create(office.box.default_calendar.id, event(f"E{number:02}"))

    def names(account: Any) -> Any:
        calendar = account.schedule().get_default_calendar()
        listed = calendar.get_events(limit=None, batch=5, include_recurring=False)
        return sorted(one.subject for one in listed)

    assert await as_user(office, names) == subjects(office.box)


async def test_o365_reads_a_series_by_its_days(office: Office) -> None:
    """A series made with O365 has the days that O365 then reads, one moved and one left out."""

    def create(account: Any) -> Any:
        made = account.schedule().get_default_calendar().new_event("Weekly")
        made.start = datetime(2026, 3, 5, 10, tzinfo=BERLIN)
        made.end = datetime(2026, 3, 5, 11, tzinfo=BERLIN)
        made.recurrence.set_weekly(
            1,
            days_of_week=["thursday"],
            first_day_of_week="monday",
            start=date(2026, 3, 5),
            occurrences=5,
        )
        assert made.save()
        return account

    account = await as_user(office, create)
    spring = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC))
    days = office.box.instances(office.box.default_calendar.id, *spring)
    office.box.patch(days[1].id, {"subject": "Once"})
    office.box.delete(days[2].id)

    def read() -> Any:
        calendar = account.schedule().get_default_calendar()
        [master] = calendar.get_events(include_recurring=False)
        view = calendar.get_events(
            include_recurring=True, start_recurring=WINDOW[0], end_recurring=WINDOW[1]
        )
        days = master.get_occurrences(spring[0], spring[1])
        return (
            master.event_type.value,
            [(one.subject, one.start) for one in view],
            sorted(one.start for one in days),
        )

    kind, view, days = await asyncio.to_thread(read)
    wanted = [datetime(2026, *day, 10, tzinfo=BERLIN) for day in ((3, 5), (3, 12), (3, 26), (4, 2))]
    assert kind == "series_master"
    assert sorted(view, key=lambda one: one[1]) == list(
        zip(("Weekly", "Once", "Weekly", "Weekly"), wanted, strict=True)
    )
    assert days == wanted


async def test_o365_invites_and_answers(office: Office) -> None:
    """People in a new event are invited; an invitation is accepted with a comment."""
    carol = Person("Carol", "carol@example.org")
    invited = [{"emailAddress": {"address": ADA.username}, "type": "required"}]
    theirs = event("Theirs", "2026-03-06", attendees=invited)
    office.box.receive(office.box.default_calendar.id, theirs, carol)

    def meet(account: Any) -> None:
        calendar = account.schedule().get_default_calendar()
        [invitation] = calendar.get_events(include_recurring=False)
        assert invitation.accept_event("I come")
        made = calendar.new_event("Ours")
        made.start = datetime(2026, 3, 5, 10, tzinfo=BERLIN)
        made.end = datetime(2026, 3, 5, 11, tzinfo=BERLIN)
        made.attendees.add(["bob@example.org", ("Eve", "eve@example.org")])
        assert made.save()

    await as_user(office, meet)
    mails = [one for one in office.service.ledger if one.actor == "api"]
    assert [(one.kind, one.comment) for one in mails] == [
        ("response", "I come"),
        ("invitation", ""),
    ]
    assert sorted(mails[1].to) == ["bob@example.org", "eve@example.org"]


# --- msgraph-sdk ---


async def whole_delta(builder: Any, answer: Any) -> tuple[list[Any], str]:
    """All pages of a round, and the link of the next one."""
    found = list(answer.value)
    while answer.odata_next_link:
        answer = await builder.with_url(answer.odata_next_link).get()
        found += answer.value
    return found, answer.odata_delta_link


def view_of(sdk: Sdk, builder: Any) -> Any:
    """The configuration of a first request of a view."""
    return sdk.asking(builder, start_date_time=WINDOW[0], end_date_time=WINDOW[1])


async def test_msgraph_creates_changes_and_deletes(sdk: Sdk, graph: Any) -> None:
    """A single event through its life; what is gone is an error with Graph's own code."""
    made = await graph.me.events.post(
        sdk.model(
            "event",
            subject="Grüße 📅",
            start=sdk.wall("2026-03-05T10:00:00"),
            end=sdk.wall("2026-03-05T11:00:00"),
            location=sdk.model("location", display_name="Büro"),
            categories=["Red"],
            transaction_id="7E163156-7762-4BEB-A1C6-729EA81755A7",
        )
    )
    assert made.start.date_time.startswith("2026-03-05T10:00:00")
    one = graph.me.events.by_event_id(made.id)
    await one.patch(sdk.model("event", subject="Later"))
    again = await one.get()
    assert (again.subject, again.location.display_name) == ("Later", "Büro")
    assert (again.start.date_time[:16], again.start.time_zone) == ("2026-03-05T09:00", "UTC")
    assert (again.type.value, again.categories) == ("singleInstance", ["Red"])
    assert again.i_cal_u_id == made.i_cal_u_id

    await one.delete()

    assert subjects(sdk.box) == []
    with sdk.refused() as refused:
        await one.get()
    assert refused.value.response_status_code == 404
    assert refused.value.error.code == "ErrorItemNotFound"


async def test_msgraph_pages_through_many_events(sdk: Sdk, graph: Any) -> None:
    """The SDK's own iterator follows the links to the end."""
    for number in range(23):
        sdk.box.create(sdk.box.default_calendar.id, event(f"E{number:02}"))
    found: list[str] = []

    def take(one: Any) -> bool:
        found.append(one.subject)
        return True

    first = await graph.me.events.get()
    iterator = pytest.importorskip("msgraph_core.tasks.page_iterator").PageIterator
    await iterator(first, graph.request_adapter).iterate(take)

    assert sorted(found) == subjects(sdk.box)


async def test_msgraph_walks_a_delta(sdk: Sdk, graph: Any) -> None:
    """A first round has everything, the next ones what happened since; `delta()` in its form."""
    made = [sdk.box.create(sdk.box.default_calendar.id, event(f"E{n:02}")) for n in range(23)]
    builder = graph.me.calendar_view.delta
    found, link = await whole_delta(builder, await builder.get(view_of(sdk, builder)))
    assert sorted(one.subject for one in found) == subjects(sdk.box)

    found, link = await whole_delta(builder, await builder.with_url(link).get())
    assert found == []
    sdk.box.patch(made[3].id, {"subject": "Changed"})
    sdk.box.delete(made[5].id)
    added = sdk.box.create(sdk.box.default_calendar.id, event("Added"))
    found, link = await whole_delta(builder, await builder.with_url(link).get())

    kept = {one.subject for one in found if "@removed" not in one.additional_data}
    gone = [one.id for one in found if "@removed" in one.additional_data]
    assert (kept, gone) == ({"Changed", "Added"}, [made[5].id])
    assert added.id in {one.id for one in found}
    assert any("delta()" in one.path for one in sdk.server.requests.entries)


async def test_msgraph_walks_the_delta_of_one_calendar(sdk: Sdk, graph: Any) -> None:
    """Another calendar's view has its own events only, a series with its days included."""
    other = sdk.box.folders.add("Other")
    sdk.box.create(sdk.box.default_calendar.id, event("Not here"))
    await graph.me.calendars.by_calendar_id(other.id).events.post(
        sdk.model(
            "event",
            subject="Weekly",
            start=sdk.wall("2026-03-05T10:00:00"),
            end=sdk.wall("2026-03-05T11:00:00"),
            recurrence=sdk.series(),
        )
    )

    builder = graph.me.calendars.by_calendar_id(other.id).calendar_view.delta
    found, _ = await whole_delta(builder, await builder.get(view_of(sdk, builder)))

    kinds = sorted(one.type.value for one in found)
    assert kinds == ["occurrence"] * 5 + ["seriesMaster"]
    [master] = [one for one in found if one.type.value == "seriesMaster"]
    assert {one.series_master_id for one in found if one is not master} == {master.id}
    assert master.recurrence.range.number_of_occurrences == 5
    assert master.recurrence.pattern.days_of_week[0].value == "thursday"


async def test_msgraph_tells_a_dead_delta_link(sdk: Sdk, graph: Any) -> None:
    """A link that the service forgot is 410 to the SDK too."""
    builder = graph.me.calendar_view.delta
    _, link = await whole_delta(builder, await builder.get(view_of(sdk, builder)))
    sdk.service.rounds(sdk.box).forget()

    with sdk.refused() as refused:
        await builder.with_url(link).get()

    assert refused.value.response_status_code == 410


async def test_msgraph_sends_a_batch(sdk: Sdk, graph: Any) -> None:
    """Two parts of one batch are answered each for itself."""
    made = sdk.box.create(sdk.box.default_calendar.id, event("Here"))
    content = pytest.importorskip("msgraph_core.requests.batch_request_content")
    items = pytest.importorskip("msgraph_core.requests.batch_request_item")
    batch = content.BatchRequestContent()
    wanted = (made.id, f"{made.id[:-8]}AAAAAAA=")
    for number, name in enumerate(wanted):
        asked = graph.me.events.by_event_id(name).to_get_request_information()
        asked.path_parameters["baseurl"] = sdk.server.base_url
        item = items.BatchRequestItem(asked, str(number))
        # "JSON batching" wants URLs relative to the version; the SDK leaves them absolute.
        item.url = item.url.removeprefix(sdk.server.base_url)
        batch.add_request(str(number), item)

    answer = await graph.batch.post(batch)

    found = {part.id: part.status for part in answer.responses.values()}
    assert found == {"0": 200, "1": 404}


async def test_msgraph_waits_when_it_is_told_to(sdk: Sdk, graph: Any) -> None:
    """The SDK's own retry understands the simulator's 429."""
    sdk.box.create(sdk.box.default_calendar.id, event("Here"))
    sdk.server.faults.script(FaultKind.THROTTLED, path="/events", times=1, retry_after_s=1)

    answer = await graph.me.events.get()

    assert [one.subject for one in answer.value] == ["Here"]
    assert [one.status for one in sdk.server.requests.entries] == [429, 200]
