"""A search by the index finds what a look at every item would find, whatever changed since."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from syncd.core.event import AllDay, Changes, Event, Item
from syncd.core.ids import FileName, Fingerprint, GraphId, Uid
from syncd.core.search import Query, indexed_text
from syncd.core.state import CalendarKey, DropItem, ItemRecord, PutItem
from syncd.store.store import Store

KEY, OTHER = CalendarKey(1), CalendarKey(2)
DAY = datetime(2026, 3, 5, tzinfo=UTC).date()


def item(subject: str, body: str = "") -> Item:
    return Item(Event(AllDay(DAY, DAY), subject, body=body))


def record(uid: str, said: Item | None, *, read: bool = True) -> ItemRecord:
    print_ = Fingerprint("f") if read else None
    name = FileName(f"{uid}.ics")
    return ItemRecord(Uid(uid), GraphId(uid), name, print_, base_local=said, base_remote=said)


async def found(store: Store, words: str, key: CalendarKey = KEY) -> set[str]:
    """By the index; every candidate is looked at."""
    query = Query.of(words)
    items = await store.items_with(key, query)
    return {one.uid for one in items if one.base_remote and query.slots(one.base_remote)}


async def scanned(store: Store, words: str) -> set[str]:
    query = Query.of(words)
    items = await store.all_items(KEY)
    return {one.uid for one in items if one.base_remote and query.slots(one.base_remote)}


async def test_what_is_indexed_is_found_without_looking_at_the_rest() -> None:
    store = await Store.open(None)
    named = [record(f"u{n}", item(f"Meeting {n:04}", "Größe")) for n in range(50)]
    await store.commit(KEY, [PutItem(one) for one in named])
    assert await store.index_words(1000) == 50
    assert await store.index_words(1000) == 0

    assert [one.uid for one in await store.items_with(KEY, Query.of("0007"))] == ["u7"]
    assert len(await found(store, "GROSSE meeting")) == 50
    assert await found(store, "0007", OTHER) == set()


async def test_edited_and_deleted_items_are_found_as_they_are() -> None:
    """Before and after the index has heard of it."""
    store = await Store.open(None)
    await store.commit(KEY, [PutItem(record(one, item(one * 4))) for one in ("a", "b", "c")])
    await store.index_words(1000)
    await store.commit(KEY, [PutItem(record("a", item("dddd"))), DropItem(Uid("b"))])

    for _ in range(2):
        assert await found(store, "dddd") == {"a"}
        assert await found(store, "aaaa") == await found(store, "bbbb") == set()
        assert await found(store, "cccc") == {"c"}
        await store.index_words(1000)
    assert [one.uid for one in await store.items_with(KEY, Query.of("bbbb"))] == []


async def test_a_file_that_is_to_be_read_again_is_always_looked_at() -> None:
    """It may say more than both sides agreed on."""
    store = await Store.open(None)
    await store.commit(KEY, [PutItem(record("a", item("one"), read=False))])
    await store.commit(KEY, [PutItem(record("b", None)), PutItem(record("c", item("one")))])
    await store.index_words(1000)

    assert [one.uid for one in await store.items_with(KEY, Query.of("other"))] == ["a"]


@pytest.mark.parametrize("words", ['"', 'a"b', "a AND b", "NEAR(", "*", "a*", "-x", "ab", "x:y"])
async def test_words_are_no_language_of_their_own(words: str) -> None:
    """What FTS5 would take for an operator is looked for."""
    store = await Store.open(None)
    await store.commit(KEY, [PutItem(record("u", item(f"say {words} aloud")))])
    await store.index_words(10)

    assert await found(store, words) == {"u"}
    assert await found(store, words + "qqq") == set()


LETTERS = some.text(alphabet='abÄß"* \n\0ｆ漢字', max_size=8)
CHANGES = some.lists(
    some.tuples(some.sampled_from("uvwx"), some.one_of(some.none(), LETTERS), some.booleans()),
    max_size=12,
)


@given(CHANGES, LETTERS)
def test_the_index_loses_nothing(changes: list[tuple[str, str | None, bool]], words: str) -> None:
    async def played() -> None:
        store = await Store.open(None)
        for uid, text, indexes in changes:
            put = PutItem(record(uid, item(text))) if text is not None else DropItem(Uid(uid))
            await store.commit(KEY, [put])
            if indexes:
                await store.index_words(2)
        assert await found(store, words) == await scanned(store, words)

    asyncio.run(played())


def test_what_an_occurrence_says_is_indexed_too() -> None:
    """And what it repeats of its series stands once."""
    series = msgspec.structs.replace(item("Series"), overrides={DAY: Changes(location="Hall")})

    assert sorted(indexed_text(series).split()) == ["hall", "series"]
