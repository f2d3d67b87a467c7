"""The README's table of the service's calendar API, against the published contract of Graph v1.0."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CONTRACT = ROOT.parent / "shared" / "reference" / "graph-calendar.openapi.json"
VERBS = "GET", "POST", "PATCH", "PUT", "DELETE"
HEADING = "| operation | request | by hand | tested in |"
SAME = [
    (r"^/(me|users/\{[^}]*\})?/?", ""),
    (r"\{[^}]*\}", "{id}"),
    (r"/\$count$", ""),
    (r"\(.*", ""),
    (r"(?i)(microsoft\.)?graph\.(room(list)?)(?=/|$)", r"microsoft.graph.\2"),
    (r"(?i)roomlist", "roomlist"),
    (r"^calendarGroups/\{id\}/calendars/\{id\}", "calendars/{id}"),
    (r"^calendar(?=/|$)", "calendars/{id}"),
    (r"^calendars/\{id\}/(?=events|calendarView|getSchedule)", ""),
]
"""Several paths of the contract lead to one operation."""


def rows() -> list[list[str]]:
    """The cells of both tables: what is at hand, and what is not asked for."""
    text = (ROOT / "README.md").read_text("utf-8")
    table = text[text.index(HEADING) :].split("\n\n`", 1)[0]
    return [line.strip("|").split("|") for line in table.splitlines() if "`" in line]


def named() -> set[str]:
    """Each request of the tables: its verb and path."""
    return {
        found
        for row in rows()
        for found in re.findall(r"`([^`]+)`", row[1])
        if found.split()[0] in VERBS
    }


def contracted() -> set[str]:
    paths = json.loads(CONTRACT.read_text("utf-8"))["paths"]
    verbs = {verb.lower() for verb in VERBS}
    return {
        f"{verb.upper()} {one_path(path)}"
        for path, found in paths.items()
        for verb in found.keys() & verbs
    }


def one_path(path: str) -> str:
    for pattern, same in SAME:
        path = re.sub(pattern, same, path)
    return path


@pytest.mark.skipif(not CONTRACT.exists(), reason="no contract beside the repository")
def test_no_operation_is_missing() -> None:
    assert contracted() - named() == set()


@pytest.mark.skipif(not CONTRACT.exists(), reason="no contract beside the repository")
def test_no_operation_is_made_up() -> None:
    assert {one for one in named() - contracted() if "/groups/" not in one} == set()


def test_what_is_said_to_be_tested_has_its_tests() -> None:
    files = {file for row in rows() if len(row) == 4 for file in re.findall(r"`([^`]+)`", row[3])}
    assert len(files) > 10
    assert [file for file in sorted(files) if not (ROOT / "tests" / file).is_file()] == []
