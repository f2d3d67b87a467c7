"""Names of files and folders: safe, stable, and never two that are one to the file system."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.ids import Uid
from syncd.core.names import file_name, folded, folder_name, is_item_name, saved_name

HOSTILE = st.text(max_size=300) | st.text(
    alphabet=st.sampled_from("./\\-~#\0\n\u202e\u200d:COMN1 é\u0301\ud800\U0001f600"), max_size=120
)


@pytest.mark.parametrize("name", ["a.ics", "A.ICS", "b c.Ics", "-.ics", "a.ics.ics", "ü.ics"])
def test_names_of_items(name: str) -> None:
    """A name that ends in .ics in any case is an item's."""
    assert is_item_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", ".ics", ".a.ics", "#a.ics", ".#a.ics", "x/a.ics", "a\0.ics", "aics"),
        *("a.ics~", "a.ics.tmp", "a.ics.part", "a.ics.swp", "a.ics8f3k"),
        *("color", "displayname", ".syncd"),
    ],
)
def test_names_that_are_left_alone(name: str) -> None:
    """Backups, half-written files, metadata and paths are no items."""
    assert not is_item_name(name)


@pytest.mark.parametrize("uid", ["a", "A1@example.com", "x_y+z.2", "0" * 112, "a" * 200])
def test_a_safe_uid_is_the_name(uid: str) -> None:
    """A UID of plain characters names its file."""
    assert file_name(Uid(uid), frozenset()) == f"{uid}.ics"


@pytest.mark.parametrize(
    "uid",
    [
        *("", "a" * 201, ".a", "-rf", "a.", "../../etc/passwd", "a/b", "a b", "é", "a\n", "a\0"),
        *("\ud800", "CON", "nul.x", "Com1", "LPT9"),
    ],
)
def test_an_unsafe_uid_is_hashed(uid: str) -> None:
    """Any other UID gives 40 hexadecimal digits, the same ones each time."""
    name = file_name(Uid(uid), frozenset())

    assert len(name) == 44
    assert set(name[:40]) <= set("0123456789abcdef")
    assert name == file_name(Uid(uid), frozenset())


def test_a_clash_of_case_is_told_apart_by_the_hash() -> None:
    """A name that differs from a taken one in case only gets eight digits of its UID's hash."""
    name = file_name(Uid("ABC"), {"abc.ics"})

    assert name.startswith("ABC-")
    assert len(name) == len("ABC-12345678.ics")


def test_a_second_clash_is_counted() -> None:
    """Where the hashed name is taken too, a number follows."""
    hashed = file_name(Uid("ABC"), {"abc.ics"})

    assert file_name(Uid("ABC"), {"abc.ics", folded(hashed)}) == hashed[:-4] + "-2.ics"


@given(HOSTILE, st.sets(HOSTILE.map(folded), max_size=3))
def test_every_file_name_is_an_item_in_one_component(uid: str, taken: set[str]) -> None:
    """Whatever the UID, its file is an item of this folder, within 255 bytes, and free."""
    name = file_name(Uid(uid), taken)

    assert is_item_name(name)
    assert len(name.encode()) < 224
    assert folded(name) not in taken


@given(HOSTILE, st.sets(HOSTILE.map(folded), max_size=3))
def test_every_folder_name_is_one_safe_component(calendar: str, taken: set[str]) -> None:
    """Whatever a server calls a calendar, its folder is one visible component of modest length."""
    name = folder_name(calendar, taken)

    assert 0 < len(name.encode()) <= 104
    assert name[0] not in ".-#~ "
    assert name[-1] not in ".~ "
    assert not set(name) & set('/\\:*?"<>|\0\n\r\t\u202e')
    assert unicodedata.is_normalized("NFC", name)
    assert folded(name) not in taken


@pytest.mark.parametrize(
    ("calendar", "folder"),
    [
        ("Calendar", "Calendar"),
        ("Privé / Büro", "Privé _ Büro"),
        ("  ..hidden ", "hidden"),
        ("../../x", "_.._x"),
        ("con", "calendar con"),
        ("", "calendar"),
        ("\u202eevil\x00", "evil"),
        ("Feiertage\n2026", "Feiertage 2026"),
        ("e\u0301te", "éte"),
    ],
)
def test_folder_names_stay_readable(calendar: str, folder: str) -> None:
    """Only what is unsafe changes."""
    assert folder_name(calendar, frozenset()) == folder


def test_calendars_of_one_name_are_numbered() -> None:
    """A second and a third calendar of one name stand beside the first."""
    assert folder_name("Work", {"work"}) == "Work-2"
    assert folder_name("Work", {"work", "work-2"}) == "Work-3"


@pytest.mark.parametrize(
    ("name", "suffix", "saved"),
    [
        ("menu.pdf", "", "menu.pdf"),
        ("../../../etc/passwd", "", "_.._._etc_passwd"),
        ("/etc/passwd", "", "_etc_passwd"),
        ("C:\\Windows\\x.exe", "", "C__Windows_x.exe"),
        (".bashrc", "", "bashrc"),
        ("-rf", "", "rf"),
        ("~root", "", "root"),
        ("", "", "attachment"),
        ("...", "", "attachment"),
        ("a\x00b\n\u202ec.txt", "", "ab c.txt"),
        ("nul.txt", "", "_nul.txt"),
        ("Inner", ".ics", "Inner.ics"),
        ("Inner.ICS", ".ics", "Inner.ICS"),
        ("", ".ics", "attachment.ics"),
        ("x" * 300 + ".pdf", "", "x" * 196 + ".pdf"),
        ("a." + "x" * 300, "", "a." + "x" * 198),
        ("é" * 300, ".eml", "é" * 98 + ".eml"),
    ],
)
def test_a_name_that_somebody_else_chose(name: str, suffix: str, saved: str) -> None:
    """A file's suffix survives, and its text as far as it is safe."""
    assert saved_name(name, suffix) == saved


@given(HOSTILE, st.sampled_from(["", ".ics", ".eml"]))
def test_a_saved_name_is_one_safe_name(name: str, suffix: str) -> None:
    """No separator, no step upwards, nothing hidden or unseen, and short enough."""
    saved = saved_name(name, suffix)

    assert 0 < len(saved.encode()) <= 200
    assert saved[0] not in ".-~ "
    assert saved[-1] not in ".~ "
    assert saved.lower().endswith(suffix)
    assert not set(saved) & set('/\\:*?"<>|\0\n\r\t\u202e')
    assert saved_name(saved, suffix) == saved
