"""
Handlers of everything in a mailbox that is not an event.

Knows user, settings, zones, calendars, groups and categories as answers.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from syncd.simulator import render, zones
from syncd.simulator.call import Call
from syncd.simulator.id_forms import read_translation, translated
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
    "count_calendars",
    "count_categories",
    "count_groups",
    "get_calendar",
    "get_category",
    "get_group",
    "list_calendars",
    "list_categories",
    "list_groups",
    "many",
    "one",
    "remove_calendar",
    "remove_category",
    "remove_group",
    "settings",
    "settings_part",
    "supported_languages",
    "time_zones",
    "translate_ids",
    "user",
]

# A choice of what a mailbox server offers, in each language's own words.
LANGUAGES = {
    "ar-SA": "العربية (المملكة العربية السعودية)",
    "cs-CZ": "čeština (Česko)",
    "da-DK": "dansk (Danmark)",
    "de-DE": "Deutsch (Deutschland)",
    "en-CA": "English (Canada)",
    "en-GB": "English (United Kingdom)",
    "en-US": "English (United States)",
    "es-ES": "español (España)",
    "fr-FR": "français (France)",
    "he-IL": "עברית (ישראל)",
    "it-IT": "italiano (Italia)",
    "ja-JP": "日本語 (日本)",
    "nl-NL": "Nederlands (Nederland)",
    "pl-PL": "polski (Polska)",
    "pt-BR": "português (Brasil)",
    "zh-CN": "中文 (中国)",
}


def one(call: Call, what: str, row: Mapping[str, Any], status: int = 200) -> Answer:
    """Return one resource with what was selected. Args: what: of its context."""
    select = parse_select(call.request.query.get("$select"))
    shown = {name: row[name] for name in row if _is_shown(name, select)}
    return json_answer({"@odata.context": call.context(what), **shown}, status)


def many(call: Call, what: str, rows: Sequence[Mapping[str, Any]], page: int) -> Answer:
    """Return a page of resources. Args: what: of their context. page: when no size was asked."""
    select, rows = parse_select(call.request.query.get("$select")), _filtered(call, rows)
    chosen, following = cut_page(call.request, rows, page)
    cut = [{name: row[name] for name in row if _is_shown(name, select)} for row in chosen]
    count = len(rows) if call.request.query.get("$count", "").casefold() == "true" else None
    encoded = [render.encode(row) for row in cut]
    context = call.context(what)
    return json_answer(json_list(encoded, context=context, next_link=following, count=count))


def _filtered(call: Call, rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    clause = call.request.query.get("$filter")
    if not clause:
        return rows
    test = parse_filter(clause)
    return [row for row in rows if test(row)]


def _is_shown(name: str, select: frozenset[str]) -> bool:
    return not select or name in select or name in ("id", "@odata.type")


def _count(call: Call, rows: Sequence[Mapping[str, Any]]) -> Answer:
    number = len(_filtered(call, rows))
    return Answer(200, str(number).encode(), {"Content-Type": "text/plain"})


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
    return one(call, "users/$entity", row)


def settings(call: Call) -> Answer:
    """GET the mailbox settings."""
    return one(call, f"{call.user()}/mailboxSettings", call.mailbox.folders.settings)


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
    return one(call, f"{call.user()}/mailboxSettings", changed)


def time_zones(call: Call) -> Answer:
    """GET the supported time zones, by Windows names unless IANA names are asked for."""
    iana = "iana" in call.request.segments[-1].casefold()
    names = zones.iana_names() if iana else zones.windows_names()
    rows = [render.encode({"alias": name, "displayName": name}) for name in names]
    context = call.context("Collection(microsoft.graph.timeZoneInformation)")
    return json_answer(json_list(rows, context=context))


def supported_languages(call: Call) -> Answer:
    """GET the languages that a mailbox can be set to."""
    rows = [
        render.encode({"locale": locale, "displayName": name}) for locale, name in LANGUAGES.items()
    ]
    context = call.context("Collection(microsoft.graph.localeInfo)")
    return json_answer(json_list(rows, context=context))


def translate_ids(call: Call) -> Answer:
    """POST ids to have them in another form; each that cannot be had is an error of its own."""
    wish = read_translation(call.request.json())
    rows = [render.encode(translated(call.mailbox, identity, wish)) for identity in wish.ids]
    context = call.context("Collection(microsoft.graph.convertIdResult)")
    return json_answer(json_list(rows, context=context))


def list_calendars(call: Call) -> Answer:
    """GET the calendars of the mailbox, or of one group."""
    page = call.service.switches.default_page_size
    return many(call, f"{call.user()}/calendars", _calendars(call), page)


def count_calendars(call: Call) -> Answer:
    """GET how many calendars the mailbox or one group has."""
    return _count(call, _calendars(call))


def _calendars(call: Call) -> list[dict[str, Any]]:
    folders = call.mailbox.folders
    if "group" in call.params:
        found = folders.in_group(call.params["group"])
    elif "calendargroup" in map(str.casefold, call.request.segments):
        found = folders.in_group(folders.my_group.id)
    else:
        found = list(folders.calendars.values())
    return [folder.wire() for folder in found]


def get_calendar(call: Call) -> Answer:
    """GET one calendar."""
    return one(call, f"{call.user()}/calendars/$entity", call.calendar().wire())


def add_calendar(call: Call) -> Answer:
    """POST a calendar."""
    group = call.params.get("group", "")
    if group:
        call.mailbox.folders.group(group)
    made = call.mailbox.folders.create(call.request.json(), group)
    return one(call, f"{call.user()}/calendars/$entity", made.wire(), 201)


def change_calendar(call: Call) -> Answer:
    """PATCH a calendar."""
    changed = call.mailbox.folders.change(call.calendar().id, call.request.json())
    return one(call, f"{call.user()}/calendars/$entity", changed.wire())


def remove_calendar(call: Call) -> Answer:
    """DELETE a calendar and what is in it."""
    call.mailbox.remove_calendar(call.calendar().id, actor="api")
    return no_content()


def list_groups(call: Call) -> Answer:
    """GET the calendar groups."""
    page = call.service.switches.default_page_size
    return many(call, f"{call.user()}/calendarGroups", _groups(call), page)


def count_groups(call: Call) -> Answer:
    """GET how many calendar groups there are."""
    return _count(call, _groups(call))


def _groups(call: Call) -> list[dict[str, Any]]:
    return [group.wire() for group in call.mailbox.folders.groups.values()]


def get_group(call: Call) -> Answer:
    """GET one calendar group."""
    group = call.mailbox.folders.group(call.params["group"])
    return one(call, f"{call.user()}/calendarGroups/$entity", group.wire())


def add_group(call: Call) -> Answer:
    """POST a calendar group."""
    made = call.mailbox.folders.create_group(call.request.json())
    return one(call, f"{call.user()}/calendarGroups/$entity", made.wire(), 201)


def change_group(call: Call) -> Answer:
    """PATCH a calendar group."""
    changed = call.mailbox.folders.change_group(call.params["group"], call.request.json())
    return one(call, f"{call.user()}/calendarGroups/$entity", changed.wire())


def remove_group(call: Call) -> Answer:
    """DELETE an empty calendar group."""
    call.mailbox.folders.remove_group(call.params["group"])
    return no_content()


def list_categories(call: Call) -> Answer:
    """GET the master categories, all at once."""
    return many(call, f"{call.user()}/outlook/masterCategories", _categories(call), 1000)


def count_categories(call: Call) -> Answer:
    """GET how many master categories there are."""
    return _count(call, _categories(call))


def _categories(call: Call) -> list[dict[str, Any]]:
    return [category.wire() for category in call.mailbox.folders.categories.values()]


def get_category(call: Call) -> Answer:
    """GET one master category."""
    category = call.mailbox.folders.category(call.params["category"])
    return one(call, f"{call.user()}/outlook/masterCategories/$entity", category.wire())


def add_category(call: Call) -> Answer:
    """POST a master category."""
    made = call.mailbox.folders.create_category(call.request.json())
    return one(call, f"{call.user()}/outlook/masterCategories/$entity", made.wire(), 201)


def change_category(call: Call) -> Answer:
    """PATCH a master category's colour."""
    folders = call.mailbox.folders
    changed = folders.change_category(call.params["category"], call.request.json())
    return one(call, f"{call.user()}/outlook/masterCategories/$entity", changed.wire())


def remove_category(call: Call) -> Answer:
    """DELETE a master category."""
    call.mailbox.folders.remove_category(call.params["category"])
    return no_content()
