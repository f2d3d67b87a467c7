"""HTML to text and back: what a reader sees, the same text each time, in linear time."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syncd.core.html import (
    attributes,
    flow,
    html_to_text,
    is_empty,
    normalise,
    read_tree,
    text_to_html,
    tidy,
    tokens,
)

EXCHANGE_PLAIN = (
    '<html>\r\n<head>\r\n<meta http-equiv="Content-Type" content="text/html; charset=utf-8">\r\n'
    '<meta name="Generator" content="Microsoft Exchange Server">\r\n<!-- converted from text -->'
    "\r\n<style><!-- .EmailQuote { margin-left: 1pt; padding-left: 4pt; border-left: #800000 2px"
    ' solid; } --></style>\r\n</head>\r\n<body>\r\n<font size="2"><span style="font-size:11pt;">'
    '<div class="PlainText">Hello Bob,<br>\r\n<br>\r\nplease bring the figures &amp; the draft.'
    "<br>\r\n&nbsp;&nbsp;indented<br>\r\nAnna</div></span></font>\r\n</body>\r\n</html>\r\n"
)
PIECES = st.sampled_from(
    [
        "<",
        ">",
        "</",
        "<a",
        "<b>",
        "</b>",
        "<p>",
        "</p>",
        "<div>",
        "</div>",
        "<br>",
        "<br/>",
        "<li>",
        "</li>",
        "<ul>",
        "</ul>",
        "<pre>",
        "</pre>",
        "<td>",
        "</td>",
        "<!--",
        "-->",
        "<!",
        "<?",
        "<style>",
        "</style>",
        "<script>",
        "</script>",
        "<title>",
        "<img>",
        "<a",
        "href=x>",
        "</a>",
        "=",
        "'",
        '"',
        "/",
        "&",
        ";",
        "&amp;",
        "&nbsp;",
        "&#10;",
        "&#0;",
        "&#x110000;",
        "&notit;",
        "--",
        "]]>",
        "<![CDATA[",
        "<PRE>",
        "</Pre>",
        "<span\tstyle='white-space:pre'>",
        "</span>",
        "x",
        "-",
    ]
) | st.sampled_from(
    [" ", "\n", "\r\n", "\t", "\xa0", "\0", "\f", "\u2028", "\ud800", "é", "e\u0301"]
)
MARKUP = st.lists(PIECES, max_size=40).map("".join)
TEXT = st.text(max_size=80) | st.text(
    alphabet=st.sampled_from(" \t\n\r\xa0\0\f\x1f\x7f-<>&;#'\"/ab\u2028\u0301\ud800"), max_size=60
)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        ("<p>a</p><p>b</p>", "a\nb"),
        ("<div><div>a</div><div>b</div></div>c", "a\nb\nc"),
        ("a<br>b<BR/>c<br />d", "a\nb\nc\nd"),
        ("<div>a<br></div><div><br></div><div>b</div>", "a\n\nb"),
        ("<p>a</p><p>&nbsp;</p><p>b</p>", "a\n\nb"),
        ("<p>a</p><p></p><p> \r\n</p><p>b</p>", "a\nb"),
        ("a<br><br><br><br><br>b", "a\n\nb"),
        ("<ul><li>a</li><li><p>b</p></li><li></li></ul>c", "- a\n- b\nc"),
        ("<ol><li>a<ul><li>b</ul><li>c</ol>", "- a\n- b\n- c"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><th>c</th></tr></table>", "a b\nc"),
        ("Hi <b>B</b>ob <i> x</i>", "Hi Bob x"),
        ("a \r\n\t b&#10;c", "a b c"),
        ("a&nbsp; b", "a  b"),
        ("&lt;p&gt; &amp;amp; &euro; &#8364; &notin; &bogus;", "<p> &amp; € € ∉ &bogus;"),
        ("a < b > c & d", "a < b > c & d"),
        ("x<img src='cid:1' alt='no'>y", "xy"),
        ("<pre>\n a  b\n\tc</pre>d", " a  b\n\tc\nd"),
        ("<PRE>a  b</PRE>", "a  b"),
        ("a<span style='white-space: pre-wrap'>  \t</span>b", "a  \tb"),
        ("e\u0301 \u212b \u2028", "e\u0301 \u212b \u2028"),
        ("<o:p>a</o:p><unknown>b</unknown>", "ab"),
    ],
)
def test_html_reads_as_text(html: str, text: str) -> None:
    """Each rule of the conversion, on its smallest case."""
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<a href='https://x.example/'>here</a>", "here <https://x.example/>"),
        ("<a href='https://x.example/'> https://x.example/ </a>!", "https://x.example/ !"),
        (
            "<a href='https://x.example/?a=1&amp;b=2&copy=3'>x</a>",
            "x <https://x.example/?a=1&b=2&copy=3>",
        ),
        ("<a title=\" href='no' >\" HREF=yes>x</a>", "x <yes>"),
        ("<a name='top'>x</a>", "x"),
        ("<a href='u'><img src='i'></a>", "<u>"),
        ("<a href=u>x<a href=v>y</a>", "x <u>y <v>"),
        ("<a href=u>x", "x <u>"),
        ("<a href='\n u\tv '>x</a>", "x <uv>"),
    ],
)
def test_links_show_where_they_lead(html: str, text: str) -> None:
    """A link is its text and its address, once where both are the same."""
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    "html",
    [
        "<html><head><title>x</title><style>p{a:'</p>x'}</style></head><body>t</body></html>",
        "<!DOCTYPE html PUBLIC '-//x'>t<!-- <p>x</p> -- > -->",
        "<!--[if gte mso 9]><xml><x>x</x></xml><![endif]-->t<![if !supportLists]><![endif]>",
        "<script>if (a</b/) x()</script>t<script/>x</script >",
        "<?xml version='1'?>t</ p></>",
        "<STYLE\ntype='a>b'>x<!-- </stylex></Style\n>t",
        "<p title='a > b' data-x=\"'>\">t</p>",
        "<!-->t<!--->",
        "t<![CDATA[x]]>",
        "t<!-- x",
        "t<p x='>x",
        "t<style>x<b>",
    ],
)
def test_what_no_reader_sees_is_no_text(html: str) -> None:
    """Comments, declarations, head matter and unfinished tags leave only the text beside them."""
    assert html_to_text(html) == "t"


def test_the_exchange_wrapper_of_a_plain_text() -> None:
    """What Exchange makes of a plain text reads as that text."""
    text = "Hello Bob,\n\nplease bring the figures & the draft.\n  indented\nAnna"

    assert html_to_text(EXCHANGE_PLAIN) == text


def test_attributes_as_browsers_read_them() -> None:
    """Names in lower case, the first of two counts, values without their quotes and entities."""
    attrs = "A=1 b='x y' c=\"&lt;&amp;lt;&copy\" d a=2 e = &#65; /"

    assert attributes(attrs) == {"a": "1", "b": "x y", "c": "<&lt;&copy", "d": "", "e": "A"}


@given(TEXT)
@example("  a\n\n\n\n b  c\t\td \n\n")
@example("\t a")
@example("- a\n-\n<b>&amp;")
def test_text_survives_html(text: str) -> None:
    """A text that became HTML reads as the same text."""
    assert html_to_text(text_to_html(text)) == normalise(text)


@given(TEXT)
def test_the_form_of_a_text_is_final(text: str) -> None:
    """Bringing a text into form a second time changes nothing, tidied first or not."""
    assert normalise(normalise(text)) == normalise(text) == normalise(tidy(text))


@pytest.mark.parametrize(
    ("text", "form"),
    [("x\r\n\r\n", "x"), ("\n \n  a \rb\t\n", "  a\nb"), ("a\n\n\n \nb", "a\n\nb"), (" \n", "")],
)
def test_form_of_a_text(text: str, form: str) -> None:
    """Line ends, trailing spaces and blank lines at the edges do not tell texts apart."""
    assert normalise(text) == form


@given(MARKUP)
def test_tokens_cover_the_source(html: str) -> None:
    """The tokens of any source lie end to end from its first to its last character."""
    found = list(tokens(html))

    assert "".join(html[token.start : token.end] for token in found) == html
    assert all(token.start < token.end for token in found)


@given(MARKUP)
def test_any_source_gives_a_text_in_form(html: str) -> None:
    """Whatever the markup, there is a text, and it is in its form."""
    text = html_to_text(html)

    assert normalise(text) == text


@given(st.lists(MARKUP.filter(lambda html: "<p" not in html and "'" not in html), max_size=4))
def test_flows_of_closed_pieces_add_up(inner: list[str]) -> None:
    """Blocks read one by one give the lines that they give together."""
    blocks = [text_to_html(html_to_text(html) or "x") for html in inner]

    assert flow("".join(blocks)) == "".join(map(flow, blocks))


@pytest.mark.parametrize(
    ("html", "sound"),
    [
        ("", True),
        ("<!DOCTYPE html><html><head><style>p{}</style></head><body>a<br>b</body></html>", True),
        ("<p>a<p>b", False),
        ("<b><i>a</b></i>", False),
        ("a</p>", False),
        ("<p>a</p><!-- open", False),
    ],
)
def test_soundness_of_a_tree(html: str, sound: bool) -> None:
    """A tree is sound where every element ends with its own tag."""
    assert read_tree(html).sound is sound


@given(MARKUP)
def test_trees_nest(html: str) -> None:
    """Every node lies within the content of its parent, after the kids before it."""
    nodes = read_tree(html).nodes

    for node in nodes:
        ends = [node.inner, *[nodes[kid].end for kid in node.kids]]
        starts = [*[nodes[kid].start for kid in node.kids], node.close]
        assert all(end <= start for end, start in zip(ends, starts, strict=True))


@pytest.mark.parametrize(
    ("html", "empty"),
    [
        ("", True),
        ("<html><head><title>x</title></head><body><div>&nbsp;<br></div></body></html>", True),
        ("<p>x</p>", False),
        ("<img src='cid:1'>", False),
        ("<a href='u'></a>", False),
        ("<!-- <img> -->", True),
    ],
)
def test_emptiness(html: str, empty: bool) -> None:
    """Empty is what has neither text nor image nor link."""
    assert is_empty(html) is empty


@pytest.mark.parametrize(
    "piece",
    [
        "<",
        "<a",
        "<a=",
        "<a='",
        '<a="',
        "<!--",
        "<!-",
        "-->",
        "</",
        "<div>",
        "<b>",
        "<style>",
        "</style",
        "<li>",
        "&#",
        "&#9",
        "&amp",
        "<pre>",
        "\xa0",
        "<td>",
        "<a\thref=x>y",
        "<p\tstyle='white-space:pre'>",
        "<title><script>",
        "<!--x-",
        "=",
        "'\"",
        "<br>",
    ],
)
def test_hostile_repetition_takes_linear_time(piece: str) -> None:
    """A hundred thousand pieces that never close take well under a second, at any depth."""
    begun = time.process_time()

    html_to_text(piece * 100_000)
    html_to_text("<div x" + piece * 100_000)
    assert time.process_time() - begun < 10


def test_numbers_of_thousands_of_digits() -> None:
    """A character reference beyond all numbers is a replacement character, not a crash."""
    assert html_to_text("a&#" + "9" * 5000 + ";b") == "a\ufffdb"
    assert attributes("href=&#" + "9" * 5000 + ";")["href"].startswith("&#")
