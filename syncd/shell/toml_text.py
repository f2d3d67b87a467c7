"""Texts as TOML writes them; the standard library only reads TOML."""

import json

__all__ = ["toml_text"]


def toml_text(text: object) -> str:
    """
    Return a text as a basic string of TOML 1.0.

    That is a JSON text, but for DEL, which TOML wants escaped too; and in ASCII JSON would split
    characters beyond U+FFFF into halves, which TOML refuses.
    """
    return json.dumps(str(text), ensure_ascii=False).replace("\x7f", "\\u007F")
