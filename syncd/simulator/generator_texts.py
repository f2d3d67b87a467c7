"""
What people write into calendars: subjects, places, names and bodies in many scripts.

Knows words only, among them the ones that break naive programs (path separators, iCalendar syntax,
direction marks). Refuses to know dates and events.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from random import Random

__all__ = [
    "CATEGORIES",
    "HOSTILE_TEXTS",
    "PEOPLE",
    "PLACES",
    "SUBJECTS",
    "html_body",
    "plain_body",
]

SUBJECTS = (
    *("Weekly stand-up", "Budget review Q3", "1:1 Ada / Grace", "Dentist", "Release planning"),
    *("Interview: platform engineer", "Lunch & learn – caching", "Parents' evening", "Gym"),
    *("Réunion d'équipe – été", "Fußballtraining (Kinder)", "Élections du comité", "Smørrebrød"),
    *(
        "Comité de dirección: año nuevo",
        "Zażółć gęślą jaźń",
        "İstanbul'da görüşme",
        "Ħobż biż-żejt",
    ),
    *("Совещание отдела", "Συνάντηση ομάδας", "Պլանավորում", "სამუშაო შეხვედრა"),
    *("פגישת צוות", "اجتماع الفريق", "جلسه هفتگی", "ٹیم میٹنگ", "ክብረ በዓል"),
    *("टीम की बैठक", "দল সভা", "குழு கூட்டம்", "ประชุมทีม", "ការប្រជុំ", "ཚོགས་འདུ"),
    *("週次ミーティング", "项目评审会议", "專案會議", "주간 회의", "ｆｕｌｌｗｉｄｔｈ　ｔｅｘｔ"),
    *(
        "🎂 Birthday: Zoë",
        "👩‍👩‍👧‍👦 Family day",
        "🏳️‍🌈 Pride walk 🇿🇦",
        "☕️ Kaffeepause",
        "𝒻𝒶𝓃𝒸𝓎 𝓉𝑒𝓍𝓉",
    ),
    *("Cafe\u0301 with combining accents", "A\u00a0b\u2009c\u3000d", "Re: Fwd: AW: plan", ""),
)

HOSTILE_TEXTS = (
    "../../../../etc/passwd",
    "..",
    "/",
    "C:\\Windows\\System32\\con",
    "a/b\\c:d*e?f\"g<h>i|j",
    ".hidden",
    "-rf --no-preserve-root",
    "trailing dots and space... ",
    " leading space",
    "line one\nline two\r\nline three",
    "tab\tseparated\tvalues",
    "x\nEND:VEVENT\nEND:VCALENDAR\nBEGIN:VCALENDAR",
    "BEGIN:VEVENT\r\nUID:stolen\r\nEND:VEVENT",
    "literal \\n and \\, and \\; and \\\\",
    'quotes "double" \'single\' `back` «guillemets»',
    "semi;colons, commas: and = signs ^n ^' ^^",
    "\u202egnp.exe\u202c reversed",
    "\u200fרבע\u200f mixed \u200eLTR\u200e",
    "zero\u200bwidth\ufeffmarks\u2060here",
    "line\u2028separator\u2029paragraph\u0085next",
    "<script>alert(1)</script>&amp;&nbsp;",
    "'; DROP TABLE event; --",
    "%s %d {0} ${HOME} $(id) %2e%2e%2f",
    "NUL", "=cmd|' /C calc'!A0",
    "Z\u0351\u036b\u0343a\u0328\u0329l\u0321\u034eg\u0334o\u0335",
    "W" * 255,
    "é漢🎉 " * 50,
    "a" * 74 + "é" + "b" * 74 + "漢" + "c" * 74 + "🎉",
)  # fmt: skip

PLACES = (
    *("Room 4.12", "Café de Flore, 172 Bd Saint-Germain, 75006 Paris", "会議室 A", "Зал 3"),
    *("Microsoft Teams Meeting", "https://example.com/meet/4711?a=1&b=2", "Gate B42", "ماجد 5"),
    *("Building 7; floor 2, east wing", "At home", "Hauptstraße 1\n10115 Berlin", "🏠"),
)

CATEGORIES = (
    *("Red category", "Blue category", "Customers", "R&D", "Privé", "Ü-30 🎉", "重要", "Path/../x"),
    *('Quoted "one"', "back\\slash"),
)

PEOPLE = (
    ("Grace Hopper", "grace@partner.example"),
    ("Müller, Jürgen", "juergen.mueller@partner.example"),
    ("Zoë O'Neill", "zoe.o'neill@fabrikam.example"),
    ("山田 太郎", "taro@fabrikam.example"),
    ("Олена Шевченко", "olena@contoso.example"),
    ("دانا الخطيب", "dana@contoso.example"),
    ('Robert "Bob" Smith', "bob+calendar@contoso.example"),
    ("Semi;Colon, Comma: Colon", "semi@contoso.example"),
    ("no-name@partner.example", "no-name@partner.example"),
    ("Søren Kierkegård", "SOREN@PARTNER.EXAMPLE"),
)

_SENTENCES = (
    "Please read the attached notes before the meeting and add your questions at the end.",
    "We start on time; the first ten minutes are for open points from last week.",
    "Dial-in details are below. Bring the numbers for the second quarter, and a printed copy.",
    "Bitte die Unterlagen bis Freitag durchsehen – Änderungen direkt im Dokument vermerken.",
    "Merci d'apporter vos propositions ; l'ordre du jour définitif suivra dans la journée.",
    "Просьба подготовить краткий отчёт о проделанной работе за последние две недели.",
    "会議の前に資料をご確認ください。ご不明な点があれば担当者までご連絡ください。",
    "يرجى مراجعة جدول الأعمال قبل الاجتماع وإرسال الملاحظات في أقرب وقت ممكن.",
    "कृपया बैठक से पहले एजेंडा पढ़ लें और अपने सुझाव भेज दें।",
    "The budget is 1 < 2 && 3 > 2, which is 100% of C:\\plans\\2031; see \"Annex A\", page 7.",
    "Reminder: parking is behind the building 🚗, the code of the door is #4711*.",
    "A line that mentions END:VCALENDAR and\nBEGIN:VEVENT in the middle of a sentence.",
)  # fmt: skip

_JOIN = (
    '<div style="width:100%"><span style="white-space:nowrap; color:#5F5F5F; opacity:.36">'
    "________________________________________________________________________________</span></div>"
    '<div class="me-email-text" style="color:#252424; font-family:\'Segoe UI\',sans-serif">'
    '<div style="margin-top:24px"><span style="font-size:24px">Microsoft Teams meeting</span></div>'
    '<div style="margin-bottom:20px"><strong>Join on your computer, mobile app or room device'
    '</strong><br><a href="{url}" target="_blank" rel="noreferrer noopener">'
    "Click here to join the meeting</a></div>"
    "<div>Meeting ID: <span>{number}</span><br>Passcode: <span>{code}</span></div></div>"
)


def plain_body(rng: Random) -> dict[str, str]:
    """Return an `itemBody` of plain text, several paragraphs of it."""
    lines = [_paragraph(rng) for _ in range(rng.randint(2, 6))]
    if rng.random() < 0.2:
        lines.append(rng.choice(HOSTILE_TEXTS))
    return {"contentType": "text", "content": rng.choice(("\n", "\r\n", "\n\n")).join(lines)}


def html_body(rng: Random, *, online: bool) -> dict[str, str]:
    """Return an `itemBody` of HTML; with the block that Teams appends if `online`."""
    parts = [rng.choice(_PARTS)(rng) for _ in range(rng.randint(3, 6))]
    if online:
        parts.append(_join_block(rng))
    head = '<html><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8"></head>'
    return {"contentType": "html", "content": f"{head}<body>{''.join(parts)}</body></html>"}


def _paragraph(rng: Random) -> str:
    return " ".join(rng.sample(_SENTENCES, rng.randint(1, 4)))


def _escaped(text: str) -> str:
    return html.escape(text).replace("\n", "<br>\n")


def _html_paragraph(rng: Random) -> str:
    return f'<p class="MsoNormal">{_escaped(_paragraph(rng))}</p>'


def _html_list(rng: Random) -> str:
    tag = rng.choice(("ul", "ol"))
    items = "".join(f"<li>{_escaped(rng.choice(_SENTENCES))}</li>" for _ in range(3))
    return f"<{tag}>{items}</{tag}>"


def _html_table(rng: Random) -> str:
    rows = (
        f"<tr><td>{hour:02}:00</td><td><b>{_escaped(rng.choice(SUBJECTS))}</b></td>"
        f"<td>{_escaped(rng.choice(PEOPLE)[0])}</td></tr>"
        for hour in range(9, 12)
    )
    header = "<tr><th>Time</th><th>Topic</th><th>Who</th></tr>"
    return f'<table border="1">{header}{"".join(rows)}</table>'


def _html_hostile(rng: Random) -> str:
    return f"<div><pre>{html.escape(rng.choice(HOSTILE_TEXTS))}</pre></div>"


def _join_block(rng: Random) -> str:
    thread = f"{rng.getrandbits(128):032x}"
    url = f"https://teams.microsoft.com/l/meetup-join/19%3ameeting_{thread}%40thread.v2/0?context=x"
    number = " ".join(f"{rng.randrange(1000):03}" for _ in range(4))
    return _JOIN.format(url=url, number=number, code=f"{rng.getrandbits(32):08x}")


_PARTS: tuple[Callable[[Random], str], ...] = (
    *(_html_paragraph, _html_paragraph, _html_paragraph),
    *(_html_list, _html_table, _html_hostile),
)
