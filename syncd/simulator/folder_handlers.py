"""
Handlers of everything in a mailbox that is not an event.

Knows user, settings, zones, calendars, groups and categories as answers.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from syncd.simulator import render, zones
from syncd.simulator.call import Call
from syncd.simulator.folders import MY_CALENDARS
from syncd.simulator.messages import Answer, json_answer, no_content
from syncd.simulator.odata import parse_filter, parse_select
from syncd.simulator.shaping import cut_page, json_list

__all__ = [
    "add_calendar",
    "add_category",
    "add_group",
    "change_calendar",
    "change_category",
    "change_group",
    "change_settings",
    "get_calendar",
    "get_category",
    "get_group",
    "list_calendars",
    "list_categories",
    "list_groups",
    "remove_calendar",
    "remove_category",
    "remove_group",
    "settings",
    "settings_part",
    "time_zones",
    "user",
]


def _one(call: Call, what: str, row: Mapping[str, Any], status: int = 200) -> Answer:
    select = parse_select(call.request.query.get("$select"))
    shown = {name: row[name] for name in row if not select or name in select or name == "id"}
    return json_answer({"@odata.context": call.context(what), **shown}, status)


def _many(call: Call, what: str, rows: Sequence[Mapping[str, Any]], page: int) -> Answer:
    select = parse_select(call.request.query.get("$select"))
    if clause := call.request.query.get("$filter"):
        test = parse_filter(clause)
        rows = [row for row in rows if test(row)]
    chosen, following = cut_page(call.request, rows, page)
    cut = [{n: row[n] for n in row if not select or n in select or n == "id"} for row in chosen]
    encoded = [render.encode(row) for row in cut]
    return json_answer(json_list(encoded, context=call.context(what), next_link=following))


def user(call: Call) -> Answer:
    """GET the user."""
    owner = call.mailbox.owner
    row: dict[str, Any] = {
        "businessPhones": [],
        "displayName": owner.name,
        "givenName": owner.name.partition(" ")[0],
        "jobTitle": None,
        "mail": owner.address,
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "surname": owner.name.rpartition(" ")[2],
        "userPrincipalName": owner.address,
        "id": call.mailbox.user_id,
    }
    chosen = parse_select(call.request.query.get("$select"))
    extra = {"proxyAddresses": [f"SMTP:{owner.address}"], "otherMails": [], "accountEnabled": True}
    row.update({name: extra[name] for name in extra if name in chosen})
    return _one(call, "users/$entity", row)


def settings(call: Call) -> Answer:
    """GET the mailbox settings."""
    return _one(call, f"{call.user()}/mailboxSettings", call.mailbox.folders.settings)


def settings_part(call: Call) -> Answer:
    """GET one mailbox setting."""
    name = call.request.segments[-1].casefold()
    found = {key.casefold(): value for key, value in call.mailbox.folders.settings.items()}
    value = found[name]
    context = call.context(f"{call.user()}/mailboxSettings/{name}")
    shown = value if isinstance(value, dict) else {"value": value}
    return json_answer({"@odata.context": context, **shown})


def change_settings(call: Call) -> Answer:
    """PATCH the mailbox settings."""
    changed = call.mailbox.folders.change_settings(call.request.json())
    return _one(call, f"{call.user()}/mailboxSettings", changed)


def time_zones(call: Call) -> Answer:
    """GET the supported time zones, by Windows names unless IANA names are asked for."""
    iana = "iana" in call.request.segments[-1].casefold()
    names = zones.iana_names() if iana else zones.windows_names()
    rows = [render.encode({"alias": name, "displayName": name}) for name in names]
    context = call.context("Collection(microsoft.graph.timeZoneInformation)")
    return json_answer(json_list(rows, context=context))


def list_calendars(call: Call) -> Answer:
    """GET the calendars of the mailbox, or of one group."""
    folders = call.mailbox.folders
    if "group" in call.params:
        found = folders.in_group(call.params["group"])
    elif call.request.segments[-2].casefold() == "calendargroup":
        found = folders.in_group(_my_group(call))
    else:
        found = list(folders.calendars.values())
    page = call.service.switches.default_page_size
    return _many(call, f"{call.user()}/calendars", [folder.wire() for folder in found], page)


def _my_group(call: Call) -> str:
    groups = call.mailbox.folders.groups.values()
    return next(group.id for group in groups if group.class_id == MY_CALENDARS)


def get_calendar(call: Call) -> Answer:
    """GET one calendar."""
    return _one(call, f"{call.user()}/calendars/$entity", call.calendar().wire())


def add_calendar(call: Call) -> Answer:
    """POST a calendar."""
    group = call.params.get("group", "")
    if group:
        call.mailbox.folders.group(group)
    made = call.mailbox.folders.create(call.request.json(), group)
    return _one(call, f"{call.user()}/calendars/$entity", made.wire(), 201)


def change_calendar(call: Call) -> Answer:
    """PATCH a calendar."""
    changed = call.mailbox.folders.change(call.calendar().id, call.request.json())
    return _one(call, f"{call.user()}/calendars/$entity", changed.wire())


def remove_calendar(call: Call) -> Answer:
    """DELETE a calendar and what is in it."""
    call.mailbox.remove_calendar(call.calendar().id, actor="api")
    return no_content()


def list_groups(call: Call) -> Answer:
    """GET the calendar groups."""
    rows = [group.wire() for group in call.mailbox.folders.groups.values()]
    page = call.service.switches.default_page_size
    return _many(call, f"{call.user()}/calendarGroups", rows, page)


def get_group(call: Call) -> Answer:
    """GET one calendar group."""
    group = call.mailbox.folders.group(call.params["group"])
    return _one(call, f"{call.user()}/calendarGroups/$entity", group.wire())


def add_group(call: Call) -> Answer:
    """POST a calendar group."""
    made = call.mailbox.folders.create_group(call.request.json())
    return _one(call, f"{call.user()}/calendarGroups/$entity", made.wire(), 201)


def change_group(call: Call) -> Answer:
    """PATCH a calendar group."""
    changed = call.mailbox.folders.change_group(call.params["group"], call.request.json())
    return _one(call, f"{call.user()}/calendarGroups/$entity", changed.wire())


def remove_group(call: Call) -> Answer:
    """DELETE an empty calendar group."""
    call.mailbox.folders.remove_group(call.params["group"])
    return no_content()


def list_categories(call: Call) -> Answer:
    """GET the master categories, all at once."""
    rows = [category.wire() for category in call.mailbox.folders.categories.values()]
    return _many(call, f"{call.user()}/outlook/masterCategories", rows, 1000)


def get_category(call: Call) -> Answer:
    """GET one master category."""
    category = call.mailbox.folders.category(call.params["category"])
    return _one(call, f"{call.user()}/outlook/masterCategories/$entity", category.wire())


def add_category(call: Call) -> Answer:
    """POST a master category."""
    made = call.mailbox.folders.create_category(call.request.json())
    return _one(call, f"{call.user()}/outlook/masterCategories/$entity", made.wire(), 201)


def change_category(call: Call) -> Answer:
    """PATCH a master category's colour."""
    folders = call.mailbox.folders
    changed = folders.change_category(call.params["category"], call.request.json())
    return _one(call, f"{call.user()}/outlook/masterCategories/$entity", changed.wire())


def remove_category(call: Call) -> Answer:
    """DELETE a master category."""
    call.mailbox.folders.remove_category(call.params["category"])
    return no_content()
