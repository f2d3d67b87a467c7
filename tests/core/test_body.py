"""Editing the text of a server body: what is sent, what is kept, what is held."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from syncd.core.body import BodyEdit, HeldBody, KeepBody, SendBody, ServerBody, edit, shown_text
from syncd.core.html import html_to_text, normalise

JOIN = (
    "https://teams.microsoft.com/l/meetup-join/19%3ameeting_NjU%40thread.v2/0"
    "?context=%7b%22Tid%22%3a%2272f9%22%2c%22Oid%22%3a%22d1e2%22%7d"
)
SAFE = (
    "https://eur01.safelinks.protection.outlook.com/ap/t-59584e83/?url=https%3A%2F%2Fteams.microsoft.com"
    "%2Fl%2Fmeetup-join%2F19%253ameeting_NjU%2540thread.v2%2F0%3Fcontext%3D%257b%2522Tid%2522%253a"
    "%252272f9%2522%252c%2522Oid%2522%253a%2522d1e2%2522%257d&amp;data=05%7C02&amp;reserved=0"
)
LINE = "_" * 80
HEAD = '<html><head>\r\n<meta http-equiv="Content-Type" content="text/html; charset=utf-8">\r\n'
OLD_BLOCK = f"""<div style="width:100%; height:20px"><span style="white-space:nowrap; color:#5F5F5F; opacity:.36">{LINE}</span> </div>\r
<div class="me-email-text" lang="en-GB" style="color:#252424; font-family:'Segoe UI','Helvetica Neue',Helvetica,Arial,sans-serif">\r
<div style="margin-top:24px; margin-bottom:20px"><span style="font-size:24px; color:#252424">Microsoft Teams meeting</span> </div>\r
<div style="margin-bottom:20px">\r
<div style="margin-top:0px; margin-bottom:0px; font-weight:bold"><span style="font-size:14px">Join on your computer, mobile app or room device</span> </div>\r
<a href="{JOIN}" class="me-email-headline" style="font-size:14px; text-decoration:underline">Click here to join the meeting</a> </div>\r
<div style="margin-bottom:4px"><span>Meeting ID: <span>364 905 112 37</span> </span><br>\r
<span>Passcode: </span><span>ab3XyZ</span></div>\r
<div><a href="https://aka.ms/JoinTeamsMeeting">Learn More</a> | <a href="https://teams.microsoft.com/meetingOptions/?organizerId=d1">Meeting options</a></div>\r
</div>\r
<div style="font-size:14px; margin-bottom:4px"></div>\r
<div style="font-size:12px"></div>\r
<div></div>\r
<div style="width:100%; height:20px"><span style="white-space:nowrap; color:#5F5F5F; opacity:.36">{LINE}</span> </div>"""
NEW_BLOCK = f"""<div class="me-email-text" lang="de-DE" style="max-width:1024px; color:#242424; font-family:'Segoe UI'">\r
<div aria-hidden="true" style="margin-bottom:24px; overflow:hidden; white-space:nowrap">{LINE}</div>\r
<div style="margin-bottom:12px"><span class="me-email-text" style="font-size:24px; font-weight:700; margin-right:12px">Microsoft Teams</span>\r
<a id="meet_invite_block.action.help" class="me-email-link" href="https://aka.ms/JoinTeamsMeeting?omkt=de-DE">Benötigen Sie Hilfe?</a></div>\r
<div style="margin-bottom:6px"><a id="meet_invite_block.action.join_link" title="Besprechungsbeitrittslink" class="me-email-headline" href="{SAFE}">Jetzt an der Besprechung teilnehmen</a></div>\r
<div style="margin-bottom:6px"><span class="me-email-text-secondary">Besprechungs-ID: </span><span>364 905 112 37</span></div>\r
<div style="margin-bottom:24px; max-width:532px"><hr style="border:0; background:#D1D1D1; height:1px"></div>\r
<table><tbody><tr><td>Für Organisatoren:</td><td><a href="https://teams.microsoft.com/meetingOptions/?x=1">Optionen</a></td></tr></tbody></table>\r
<div aria-hidden="true" style="margin-bottom:24px; overflow:hidden; white-space:nowrap">{LINE}</div>\r
</div>"""
CLASSIC_BLOCK = (
    f"<p class=\"MsoNormal\"><span style='color:#5F5F5F'>{LINE}</span><o:p></o:p></p>\r\n"
    "<p class=\"MsoNormal\"><span style='font-size:18.0pt'>Microsoft Teams meeting</span></p>\r\n"
    f'<p class="MsoNormal"><a href="{JOIN}">Click here to join the meeting</a><o:p></o:p></p>\r\n'
    f"<p class=\"MsoNormal\"><span style='color:#5F5F5F'>{LINE}</span><o:p></o:p></p>"
)
EXCHANGE_PLAIN = (
    HEAD
    + '<meta name="Generator" content="Microsoft Exchange Server">\r\n<!-- converted from text -->'
    "\r\n<style><!-- .EmailQuote { margin-left: 1pt; border-left: #800000 2px solid; } --></style>"
    '</head>\r\n<body>\r\n<font size="2"><span style="font-size:11pt;"><div class="PlainText">Agenda<br>'
    "\r\n<br>\r\n&nbsp; 1. Figures</div></span></font>\r\n</body>\r\n</html>\r\n"
)
OUTLOOK = (
    '<html xmlns:o="urn:schemas-microsoft-com:office:office">\r\n<head>\r\n'
    '<meta name="Generator" content="Microsoft Word 15 (filtered medium)">\r\n<style><!--\r\n'
    "/* Font Definitions */\r\n@font-face\r\n\t{font-family:Calibri;\r\n\tpanose-1:2 15 5 2;}\r\n"
    "p.MsoNormal, li.MsoNormal, div.MsoNormal\r\n\t{margin:0cm;\r\n\tfont-size:11.0pt;}\r\n"
    "a:link, span.MsoHyperlink\r\n\t{color:#0563C1;}\r\nspan.EmailStyle17\r\n\t{color:windowtext;}\r\n"
    ".MsoChpDefault\r\n\t{mso-style-type:export-only;}\r\n@page WordSection1\r\n\t{size:612.0pt 792.0pt;}\r\n"
    "div.WordSection1\r\n\t{page:WordSection1;}\r\n--></style>\r\n<!--[if gte mso 9]><xml>\r\n"
    '<o:shapedefaults v:ext="edit" spidmax="1026" />\r\n</xml><![endif]-->\r\n</head>\r\n'
    '<body lang="EN-GB" link="#0563C1">\r\n<div class="WordSection1">\r\n'
    '<p class="MsoNormal">Dear <b>all</b>,<o:p></o:p></p>\r\n'
    '<p class="MsoNormal"><o:p>&nbsp;</o:p></p>\r\n'
    '<p class="MsoNormal"><span style="color:red">first</span> point<o:p></o:p></p>\r\n'
    '<p class="MsoNormal">see <a href="https://x.example/">the draft</a><br>\r\nand <i>reply</i></p>\r\n'
    "</div>\r\n</body>\r\n</html>\r\n"
)
TABLE = (
    HEAD + "</head><body><p>Agenda</p><table><tr><td>10:00</td><td>Start</td></tr></table>"
    "</body></html>"
)


def body(content: str) -> ServerBody:
    return ServerBody("html", content, is_online_meeting=False, join_url="")


def meeting(block: str, before: str = "", after: str = "", head: str = HEAD) -> ServerBody:
    content = f"{head}</head>\r\n<body>\r\n{before}{block}{after}\r\n</body></html>\r\n"
    return ServerBody("html", content, is_online_meeting=True, join_url=JOIN)


def changed(server: ServerBody, old: str, new: str) -> BodyEdit:
    text = shown_text(server)
    assert text.count(old) == 1

    return edit(server, text.replace(old, new), replace_rich=False)


def sent(outcome: BodyEdit) -> str:
    assert isinstance(outcome, SendBody)
    assert outcome.content_type == "html"
    return outcome.content


BLOCKS = [OLD_BLOCK, NEW_BLOCK, CLASSIC_BLOCK]
BEFORE = [
    "",
    "<div>Agenda</div>\r\n<br>\r\n",
    '<p class="x">Dear <b>all</b>,</p><ul><li>one <i>1</i></li><li>two</li></ul><p>&nbsp;</p>',
    "loose text<br>with <u>lines</u><br><br>",
    "<table><tr><td>a</td><td>b</td></tr></table><p>c</p>",
]
AFTER = ["", "<div>kind regards</div>", "<br>\r\nBob<br>"]


@pytest.mark.parametrize(
    "server",
    [
        ServerBody("text", "x\r\n\r\n", is_online_meeting=False, join_url=""),
        body(""),
        body("<p>Hi <b>Bob</b></p>"),
        body(TABLE),
        meeting(OLD_BLOCK, "<p>x</p>"),
    ],
)
def test_an_unchanged_text_sends_nothing(server: ServerBody) -> None:
    """The text as it was written, also with other line ends and blank edges, is no edit."""
    text = shown_text(server).replace("\n", "\r\n")

    assert edit(server, f"\n{text} \n\n", replace_rich=True) == KeepBody()


@pytest.mark.parametrize(
    "server",
    [
        ServerBody("text", "x", is_online_meeting=False, join_url=""),
        body(""),
        body(
            HEAD
            + "</head><body>\r\n<div dir='ltr'><p style='margin:0'>x<br></p></div></body></html>"
        ),
        body(EXCHANGE_PLAIN),
    ],
)
def test_plain_bodies_are_sent_as_text(server: ServerBody) -> None:
    """A body that says no more than its text becomes the new text, or nothing."""
    assert edit(server, "a & b\r\n\r\n\r\nc \n", replace_rich=False) == SendBody(
        "text", "a & b\n\n\nc"
    )
    if shown_text(server):
        assert edit(server, "", replace_rich=False) == SendBody("text", "")


def test_an_appended_line_keeps_the_formatting_above() -> None:
    """A line below a formatted paragraph leaves that paragraph byte for byte."""
    content = sent(edit(body("<p>Hi <b>Bob</b></p>"), "Hi Bob\na < b", replace_rich=False))

    assert content == "<p>Hi <b>Bob</b></p><p>a &lt; b</p>"


def test_a_changed_line_in_outlooks_html() -> None:
    """Only the changed paragraph is written anew, in the paragraph style of its place."""
    old = '<p class="MsoNormal"><span style="color:red">first</span> point<o:p></o:p></p>'
    new = '<p class="MsoNormal">first &amp; only point</p>'

    assert sent(changed(body(OUTLOOK), "first point", "first & only point")) == OUTLOOK.replace(
        old, new
    )


def test_lines_within_a_paragraph() -> None:
    """Lines that `br` divides are exchanged one by one within their paragraph."""
    content = sent(changed(body(OUTLOOK), "\nand reply", "\nand reply soon\nor not"))

    assert content == OUTLOOK.replace("and <i>reply</i>", "and reply soon<br>or not<br>")


def test_a_deleted_line_in_outlooks_html() -> None:
    """A deleted line takes its paragraph with it and nothing else."""
    old = '<p class="MsoNormal"><span style="color:red">first</span> point<o:p></o:p></p>'

    assert sent(changed(body(OUTLOOK), "first point\n", "")) == OUTLOOK.replace(old, "")


def test_a_simple_body_whose_text_is_deleted() -> None:
    """Formatting without a text to carry it goes with the text."""
    assert edit(body(OUTLOOK), "", replace_rich=False) == SendBody("text", "")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("- a\n- x\n- c", "<ul><li><b>a</b></li><li>x</li><li>c</li></ul>"),
        ("- a\n- b\n- x\n- c", "<ul><li><b>a</b></li><li>b</li><li>x</li><li>c</li></ul>"),
        ("x\n- a\n- b\n- c", "<div>x</div><div>- a</div><div>- b</div><div>- c</div>"),
        ("- a\n- b\n- c\nx", "<ul><li><b>a</b></li><li>b</li><li>c</li></ul><div>x</div>"),
    ],
)
def test_items_of_a_list(text: str, html: str) -> None:
    """An item stays an item; what cannot stand in the list makes it lines of text."""
    server = body("<ul><li><b>a</b></li><li>b</li><li>c</li></ul>")

    assert html_to_text(sent(edit(server, text, replace_rich=False))) == text
    if "x\n- a" not in text and not text.endswith("x"):
        assert sent(edit(server, text, replace_rich=False)) == html


def test_a_word_in_a_table_is_held() -> None:
    """An edit within what a text cannot carry is held, with a way out."""
    outcome = changed(body(TABLE), "Start", "Begin")

    assert isinstance(outcome, HeldBody)
    assert outcome.code == "rich-body"
    assert "rich_body" in outcome.hint


def test_a_paragraph_below_a_table_is_added() -> None:
    """An addition at the end of a rich body leaves all of it as it is."""
    content = sent(edit(body(TABLE), shown_text(body(TABLE)) + "\n\nnew", replace_rich=False))

    assert content == TABLE.replace("</body>", "<div><br></div><div>new</div></body>")


def test_paragraphs_above_and_below_a_table_are_added() -> None:
    """Additions on both sides at once are additions still."""
    text = f"above\n{shown_text(body(TABLE))}\nbelow"
    content = sent(edit(body(TABLE), text, replace_rich=False))

    assert "<body><div>above</div><p>Agenda</p>" in content
    assert "</table><div>below</div></body>" in content


def test_a_rich_body_may_be_replaced_on_demand() -> None:
    """With `replace_rich` the formatting is given up for the text."""
    assert edit(body(TABLE), "all new", replace_rich=True) == SendBody("text", "all new")


@pytest.mark.parametrize(
    "html",
    [
        "<p>a</p><img src='x'>",
        "<p style='background:url(x)'>a</p>",
        "<p>a</p><ul><li>b<ul><li>c</li></ul></li></ul>",
        "<pre>a</pre>",
        "<blockquote>a</blockquote>",
        "<style>.mine{color:red}</style><p class='mine'>a</p>",
        "<style>p[lang]{color:red}</style><p>a</p>",
        "<style>@media screen{p{x:y} .mine{color:red}}</style><p class='mine'>a</p>",
        "<p>a<b>b</p>",
        "<p>a</p><!-- open",
        "<custom-tag>a</custom-tag>",
        "<p><b>a</b></p>" + "<p>b</p>" * 10_000,
    ],
)
def test_what_makes_a_body_rich(html: str) -> None:
    """Each kind of content that an edit could hurt holds the edit."""
    assert isinstance(edit(body(html), "other", replace_rich=False), HeldBody)


def test_styles_that_nothing_uses_do_not_matter() -> None:
    """A sheet without a selector in use leaves the body simple."""
    server = body(
        "<style>.mine{color:red} p{margin:0}</style><p class='yours'>a <b>b</b></p><p>c</p>"
    )

    assert sent(changed(server, "c", "d")).endswith("<p class='yours'>a <b>b</b></p><p>d</p>")


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("before", BEFORE)
def test_a_line_above_the_rule_of_a_meeting(block: str, before: str) -> None:
    """The block travels byte for byte, and so does what stood above it."""
    server = meeting(block, before)
    text = shown_text(server).replace(f"{LINE}\n", f"new line\n{LINE}\n", 1)

    content = sent(edit(server, text, replace_rich=False))

    assert content == server.content.replace(block, f"<div>new line</div>{block}")


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("after", AFTER)
def test_edits_inside_the_block_are_ignored(block: str, before: str, after: str) -> None:
    """Deleting the block's text, or changing a word of it, sends nothing."""
    server = meeting(block, before, after)
    text = shown_text(server)
    start, end = text.index(LINE), text.rindex(LINE) + len(LINE)

    assert edit(server, text.replace("Microsoft Teams", "Skype"), replace_rich=False) == KeepBody()
    assert edit(server, text.replace("_" * 40, "_" * 38), replace_rich=False) == KeepBody()
    assert edit(server, text[:start] + text[end:], replace_rich=True) == KeepBody()


@pytest.mark.parametrize("block", BLOCKS)
def test_the_users_part_is_emptied_alone(block: str) -> None:
    """Deleting the whole text of an online meeting empties the user's part only."""
    server = meeting(block, "<p>Agenda</p><p>with <b>two</b> lines</p>")

    content = sent(edit(server, "", replace_rich=False))

    assert block in content
    assert "Agenda" not in content
    assert html_to_text(content) == html_to_text(block)


def test_an_edit_above_and_a_deleted_block() -> None:
    """What the user wrote above is sent although the block's text is gone; the block stays."""
    server = meeting(OLD_BLOCK, "<div>Agenda</div>\r\n<br>\r\n")

    content = sent(edit(server, "Agenda\nand more", replace_rich=False))

    assert OLD_BLOCK in content
    assert html_to_text(content).startswith(f"Agenda\nand more\n\n{LINE}\n")


def test_a_table_of_the_users_in_a_meeting() -> None:
    """The rows for rich bodies hold for the user's part; the block is safe even when replaced."""
    server = meeting(NEW_BLOCK, "<table><tr><td>a</td><td>b</td></tr></table>")

    assert isinstance(changed(server, "a b", "a c"), HeldBody)
    replaced = edit(server, shown_text(server).replace("a b", "a c"), replace_rich=True)
    assert sent(replaced).count(NEW_BLOCK) == 1
    assert "<div>a c</div>" in sent(replaced)


@pytest.mark.parametrize("url", [JOIN, JOIN.replace("?", "?a=1&"), "https://meet.example/r/7"])
def test_the_join_url_alone_marks_the_block(url: str) -> None:
    """Without any template the line with the link is the block, whatever the provider."""
    link = url.replace("&", "&amp;")
    html = f"<p>Agenda</p><p>Join: <a href='{link}'>here</a></p><p>Bye</p>"
    server = ServerBody("html", html, is_online_meeting=True, join_url=url)

    assert sent(changed(server, "Bye", "Bye all")).startswith(html.removesuffix("<p>Bye</p>"))
    assert changed(server, "Join: ", "Enter: ") == KeepBody()


def test_a_safe_link_wrapper_marks_the_block() -> None:
    """The join URL counts also as a parameter of the wrapper that a mail filter put around it."""
    wrapped = "https://eu.safelinks.example/?url=https%3A%2F%2Fmeet.example%2Fr%2F7&amp;data=1"
    html = f"<p>Agenda</p><p>Join: <a href='{wrapped}'>here</a></p>"
    server = ServerBody("html", html, is_online_meeting=True, join_url="https://meet.example/r/7")

    assert changed(server, "Join: ", "Enter: ") == KeepBody()


def test_two_rules_mark_the_block_when_nothing_else_does() -> None:
    """In an online meeting the text between two rules is the block; elsewhere it is a text."""
    html = f"<p>a</p><p>{LINE}</p><p>Dial in</p><p>{LINE}</p>"
    online = ServerBody("html", html, is_online_meeting=True, join_url="")

    assert changed(online, "Dial in", "x") == KeepBody()
    assert isinstance(changed(body(html), "Dial in", "x"), SendBody)


def test_a_meeting_without_a_block_is_never_replaced() -> None:
    """Where the block cannot be found, lines may be added and nothing else happens."""
    server = ServerBody("html", "<p>a</p><p>b</p>", is_online_meeting=True, join_url=JOIN)

    assert isinstance(edit(server, "c", replace_rich=True), HeldBody)
    assert sent(edit(server, "a\nb\nc", replace_rich=False)) == "<p>a</p><p>b</p><div>c</div>"


def test_a_lookalike_link_is_no_block() -> None:
    """Only an address on a meeting host counts, not one that mentions it."""
    server = body("<p>a</p><p><a href='https://evil.example/teams.microsoft.com/meet/1'>b</a></p>")

    assert isinstance(edit(server, "a", replace_rich=False), SendBody)


def test_a_meeting_whose_body_is_a_text() -> None:
    """In a text body the block is found by its rules and keeps its bytes."""
    block = f"{LINE}\r\nMicrosoft Teams\r\nJoin: {JOIN}\r\n\r\n\r\nID 7 \r\n{LINE}"
    server = ServerBody("text", f"Agenda\r\n\r\n{block}\r\n", is_online_meeting=True, join_url=JOIN)

    assert changed(server, "ID 7", "ID 8") == KeepBody()
    assert edit(server, "Agenda", replace_rich=False) == KeepBody()
    assert changed(server, "Agenda", "Plan") == SendBody("text", f"Plan\n\n{block}\r\n")
    assert edit(server, "", replace_rich=False) == SendBody("text", f"{block}\r\n")


LINES = st.lists(
    st.sampled_from(
        ["", "a", "b", "Agenda", "- x", "  y", "c\td", LINE, "<b>&amp;", "Dear all,", "x" * 50]
    )
    | st.text(max_size=12),
    max_size=8,
)
SIMPLE = st.lists(
    st.sampled_from(
        [
            "<p>a</p>",
            "<div>b <b>x</b></div>\r\n",
            "<p><br></p>",
            "<p>&nbsp;</p>",
            "<div><div>c</div>d<br>e</div>",
            "<span>f<br></span>",
            "loose <i>g</i>",
            "<br>",
            "<ul><li>h</li><li><p>i</p></li></ul>",
            "<p class='MsoNormal'>j<br>k<br><br>l</p>",
            "<font><span><div>m<br>\r\n<br>n</div></span></font>",
            "<a href='u'>o</a>",
            "<h1>q<br>r</h1>",
            "<b>s<br>t</b>",
            "<!-- c -->",
            "<hr>",
            "<p></p>",
        ]
    ),
    max_size=7,
).map("".join)
EDITS = st.tuples(st.integers(0, 30), st.integers(0, 3), LINES)


def with_edits(text: str, edits: list[tuple[int, int, list[str]]]) -> str:
    lines = text.split("\n")
    for at, gone, new in edits:
        begin = at % (len(lines) + 1)
        lines[begin : begin + gone] = new
    return "\n".join(lines)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SIMPLE, st.lists(EDITS, max_size=3))
@example("<p>a</p><p><br></p><p><br></p><p>b</p>", [(1, 1, [])])
def test_an_accepted_edit_reads_as_the_users_text(
    html: str, edits: list[tuple[int, int, list[str]]]
) -> None:
    """Simple bodies take every edit, and what is sent reads as the text in the file."""
    server = body(html)
    text = with_edits(shown_text(server), edits)

    outcome = edit(server, text, replace_rich=False)

    if isinstance(outcome, SendBody):
        assert shown_text(
            ServerBody(outcome.content_type, outcome.content, False, "")
        ) == normalise(text)
    else:
        assert outcome == KeepBody()
        assert shown_text(server) == normalise(text)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(BLOCKS), SIMPLE | st.sampled_from(BEFORE), SIMPLE, st.lists(EDITS, max_size=3)
)
def test_the_block_is_in_everything_that_is_sent(
    block: str, before: str, after: str, edits: list[tuple[int, int, list[str]]]
) -> None:
    """However the text of a meeting is edited, what is sent holds the block's bytes once."""
    server = meeting(block, before, after)
    text = with_edits(shown_text(server), edits)

    outcome = edit(server, text, replace_rich=True)

    assert not isinstance(outcome, HeldBody)
    if isinstance(outcome, SendBody):
        assert outcome.content_type == "html"
        assert outcome.content.count(block) == 1
        again = ServerBody("html", outcome.content, is_online_meeting=True, join_url=JOIN)
        assert edit(again, shown_text(again), replace_rich=True) == KeepBody()


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(BLOCKS), SIMPLE, SIMPLE, LINES, LINES)
def test_edits_outside_an_intact_block_are_exact(
    block: str, before: str, after: str, above: list[str], below: list[str]
) -> None:
    """With the block's text intact, what is sent reads exactly as the user's text."""
    server = meeting(block, before, after)
    text = "\n".join([*above, html_to_text(block), *below])

    outcome = edit(server, text, replace_rich=False)

    if isinstance(outcome, SendBody):
        assert html_to_text(outcome.content) == normalise(text)
    else:
        assert outcome == KeepBody()
        assert shown_text(server) == normalise(text)


@settings(deadline=None)
@given(
    st.text(max_size=200) | st.lists(st.sampled_from(["<p>", "</p>", "<b>", "<a href='", JOIN, "'>", LINE, "\r\n", "<!--", "x", "</a>", "<table>", "<body>", "</body>"]), max_size=30).map("".join),
    st.text(max_size=60),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["html", "text"]),
)  # fmt: skip
def test_any_body_and_any_text_have_an_outcome(
    content: str, text: str, online: bool, replace_rich: bool, kind: str
) -> None:
    """No body and no text makes an edit fail, and a join link that was found is never lost."""
    server = ServerBody(
        "html" if kind == "html" else "text", content, online, JOIN if online else ""
    )

    outcome = edit(server, text, replace_rich=replace_rich)

    if isinstance(outcome, SendBody) and online:
        assert JOIN not in content or JOIN in outcome.content


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<div>" * 20_000 + "x" + "</div>" * 20_000, "y"),
        ("<div>" * 10_000 + "x<br>y" + "</div>" * 10_000, "y"),
        ("<div><br>" * 20_000 + "x<br>y" + "</div>" * 20_000, "y"),
        ("<b>" * 20_000 + "x", "y\n" * 20_000),
        ("<p><b>a</b></p>" * 4_000, "a\nb\n" * 4_000),
        (
            "<br>".join(f"<i>{at}</i>" for at in range(4_000)),
            "\n".join(map(str, range(0, 8_000, 2))),
        ),
        ("<style>" + "x" * 60_000 + "</style><p><b>a</b></p>", "b"),
        ("<style>" + "{/*" * 20_000 + "</style><p><b>a</b></p>", "b"),
        ("<ul><li>a</li></ul>" * 3_000, "\n".join("ab" * 9_000)),
    ],
)
@pytest.mark.parametrize("online", [True, False])
def test_large_bodies_are_decided(html: str, text: str, online: bool) -> None:
    """Deep nesting and thousands of lines come to a decision, and a join block survives it."""
    content = html + (OLD_BLOCK if online else "")
    server = ServerBody("html", content, online, JOIN if online else "")

    outcome = edit(server, text, replace_rich=True)

    assert not (online and isinstance(outcome, SendBody)) or JOIN in outcome.content
