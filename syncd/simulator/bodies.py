"""
What Exchange makes of an event's body.

Knows the HTML shell around every stored body, the text form of it, and the block that a Teams
meeting leaves in it. A text body is stored as HTML; markup that could run is dropped.
"""

import html
import re

__all__ = ["join_block", "join_url_in", "preview", "read_body", "to_text", "with_join_block"]

_META = '<meta http-equiv="Content-Type" content="text/html; charset=utf-8">'
_UNSAFE = re.compile(r"(?is)<(script|iframe|object)\b.*?(?:</\1\s*>|\Z)")
_HEAD = re.compile(r"(?i)<head\b[^>]*>")
_HTML = re.compile(r"(?i)<html\b[^>]*>")
_INVISIBLE = re.compile(r"(?is)<(head|style)\b.*?</\1\s*>|<!--.*?-->")
_BREAK = re.compile(r"(?i)<br\s*/?>\s*|</(?:p|div|tr|li|h\d)\s*>\s*")
_TAG = re.compile(r"(?s)<[a-zA-Z/!?][^>]*>")
_END = re.compile(r"(?i)</body\s*>")
_PREVIEW_CHARS = 255


def read_body(kind: str, content: str) -> str:
    """
    Return the HTML that is stored for a body that was sent.

    Args: kind: `html` or `text`.
    """
    if kind == "text":
        return _shell(f'<div class="PlainText">{_lines(content)}</div>' if content else "")
    content = _UNSAFE.sub("", content)
    if not _HTML.search(content):
        return _shell(content)
    if "http-equiv" in content.lower():
        return content
    if _HEAD.search(content):
        return _HEAD.sub(lambda found: f"{found[0]}\r\n{_META}", content, count=1)
    return _HTML.sub(lambda found: f"{found[0]}<head>\r\n{_META}\r\n</head>", content, count=1)


def _shell(inner: str) -> str:
    return f"<html><head>\r\n{_META}\r\n</head><body>\r\n{inner}\r\n</body>\r\n</html>\r\n"


def _lines(content: str) -> str:
    escaped = html.escape(content, quote=False).replace("\r\n", "\n").replace("\r", "\n")
    spaced = re.sub(r"  +", lambda run: "&nbsp;" * (len(run[0]) - 1) + " ", escaped)
    # HTML drops spaces at the edges of a line; Outlook keeps them as non-breaking ones.
    edged = re.sub(r"(?m)^ | $", "&nbsp;", spaced)
    return edged.replace("\n", "<br>\r\n")


def to_text(stored: str) -> str:
    """Return the text form of a stored body, lines ended by CRLF."""
    visible = _INVISIBLE.sub("", stored)
    flat = re.sub(r"(?<!>)\r?\n|(?<=>)\r?\n", " ", _BREAK.sub("\0", visible))
    words = re.sub(r"[ \t]+", " ", _TAG.sub("", flat))
    lines = [html.unescape(line).strip(" ") for line in words.split("\0")]
    return "\r\n".join(line.replace("\u00a0", " ") for line in lines).strip("\r\n")


def preview(stored: str) -> str:
    """Return the first 255 characters of the text."""
    return to_text(stored)[:_PREVIEW_CHARS] if stored else ""


def join_block(url: str) -> str:
    """Return the block that Teams writes into the body of an online meeting."""
    rule = "_" * 80
    return (
        f'<div class="me-email-text" lang="en-US"><div><span>{rule}</span></div>'
        '<div class="me-email-headline"><span>Microsoft Teams meeting</span></div>'
        f'<div><a class="me-email-link" href="{html.escape(url)}">Join the meeting now</a></div>'
        f"<div><span>{rule}</span></div></div>"
    )


def with_join_block(stored: str, url: str) -> str:
    """Return the body with the join block at its end."""
    stored = stored or _shell("")
    return _END.sub(lambda found: f"{join_block(url)}\r\n{found[0]}", stored, count=1)


def join_url_in(stored: str, url: str) -> bool:
    """Tell whether the join link survived an edit of the body."""
    return html.escape(url) in stored or url in stored
