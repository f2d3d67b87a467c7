"""What the log tells, what it never tells, and what it does not let others tell in its name."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from syncd.shell.logs import FOREIGN_LEVELS, redacted, setup

JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl"


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Leaves the logging of the process as it found it."""
    names = ["syncd", *FOREIGN_LEVELS]
    root, levels = logging.getLogger(), {name: logging.getLogger(name).level for name in names}
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, number in levels.items():
        logging.getLogger(name).setLevel(number)


class Log:
    """A log that can be read."""

    def __init__(self, level: Any = "info", form: Any = "json", stream: Any = None) -> None:
        self.stream = io.StringIO() if stream is None else stream
        setup(level, form, self.stream)
        self.own = structlog.get_logger()

    @property
    def text(self) -> str:
        """All that was written."""
        return self.stream.getvalue()

    @property
    def lines(self) -> list[str]:
        """All that was written, in lines."""
        return self.text.splitlines()

    @property
    def last(self) -> dict[str, Any]:
        """The last event, from JSON."""
        return json.loads(self.lines[-1])


class TestForm:
    def test_json(self) -> None:
        """An event is one JSON object with time and level."""
        log = Log()

        log.own.info("round.finished", pulled=41, duration_s=1.42, dry=False, cursor=None)

        assert log.last.pop("timestamp").endswith("Z")
        assert (
            log.last.items()
            >= {
                "event": "round.finished",
                "level": "info",
                "pulled": 41,
                "duration_s": 1.42,
                "dry": False,
                "cursor": None,
            }.items()
        )

    def test_auto_without_a_terminal(self) -> None:
        """Programs get JSON."""
        log = Log(form="auto")

        log.own.info("round.finished")

        assert log.last["event"] == "round.finished"

    def test_auto_on_a_terminal(self) -> None:
        """People get words."""
        log = Log(form="auto", stream=Terminal())

        log.own.info("round.finished", pulled=41)

        assert "round.finished" in log.text
        assert "{" not in log.text

    def test_console_line(self) -> None:
        """A line has time, level, event and fields; odd values stand in quotes."""
        log = Log(form="console")

        log.own.warning("round.late", late_s=3, calendar='My "Team"', reason="")

        stamp, rest = log.text.split(" ", 1)
        assert len(stamp) == len("2026-01-01T00:00:00")
        assert rest == 'warning  round.late late_s=3 calendar="My \\"Team\\"" reason=""\n'

    def test_level(self) -> None:
        """What is less weighty than the level is not written."""
        log = Log(level="warning")

        log.own.info("round.finished")
        log.own.warning("round.late")

        assert [json.loads(line)["event"] for line in log.lines] == ["round.late"]

    def test_bound_context(self) -> None:
        """What a round binds stands in all of its lines."""
        log = Log()

        log.own.bind(round_id="r1").info("round.finished")

        assert log.last["round_id"] == "r1"

    def test_second_setup_replaces_the_first(self) -> None:
        """After another setup each event is written once, in its form."""
        first, second = Log(), Log(level="error")

        second.own.error("disk.full")

        assert first.lines == []
        assert len(second.lines) == 1

    def test_exception(self) -> None:
        """A traceback stays within its JSON line."""
        log = Log()

        try:
            raise ValueError("first\nsecond")
        except ValueError:
            log.own.exception("round.failed")

        assert len(log.lines) == 1
        assert "ValueError: first\nsecond" in log.last["exception"]

    def test_exception_on_the_console(self) -> None:
        """Each line of a traceback is indented, so that none poses as an event."""
        log = Log(form="console")

        try:
            raise ValueError("first\n2026-01-01 [info] all.fine")
        except ValueError:
            log.own.exception("round.failed")

        assert all(line.startswith("    | ") for line in log.lines[1:])
        assert len(log.lines) > 3


class TestOtherLibraries:
    @pytest.mark.parametrize(
        "name", ["msal", "urllib3.connectionpool", "aiohttp.client", "asyncio", "x"]
    )
    def test_warnings_are_heard(self, name: str) -> None:
        """Warnings come through in our form; what is less is not heard."""
        log = Log(level="debug")

        logging.getLogger(name).info("hello")
        logging.getLogger(name).warning("slow: %s", "Bearer abcdefgh")

        assert len(log.lines) == 1
        assert log.last["library"] == name
        assert log.last["event"] == "slow: Bearer <redacted>"

    def test_the_scheduler_is_heard_when_it_fails(self) -> None:
        """A missed run is no news: the next one does the work."""
        log = Log()

        logging.getLogger("apscheduler.scheduler").warning("missed by 0:00:02")
        logging.getLogger("apscheduler.executors.default").error("job raised")

        assert [json.loads(line)["event"] for line in log.lines] == ["job raised"]

    def test_exception_of_a_library(self) -> None:
        """Tracebacks of libraries pass the same steps."""
        log = Log()

        try:
            raise ValueError(f"refused {JWT}")
        except ValueError:
            logging.getLogger("asyncio").exception("task died")

        assert "refused <redacted>" in log.last["exception"]

    def test_message_that_cannot_be_made(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A library's broken log call neither fails nor prints its arguments."""
        log = Log()

        # Straight to our handler: pytest's own raises for a broken call, as it should.
        logging.getLogger().handlers[-1].handle(
            logging.LogRecord("x", logging.WARNING, "x.py", 1, "%d", (JWT,), None)
        )

        assert JWT not in log.text + "".join(capsys.readouterr())

    def test_closed_stream(self) -> None:
        """A log that nobody can read any more stops nothing."""
        log = Log()
        log.stream.close()

        log.own.error("disk.full")

        assert log.stream.closed


SECRETS = [
    f"Authorization: Bearer {JWT}",
    "bearer s3cr3t-abcdef",
    "Authorization: Basic czNjcjN0LWFiY2RlZg==",
    f"token was {JWT}, sorry",
    "https://login.example.org/?code=s3cr3t.abc&x=1",
    "POST grant_type=x&refresh_token=s3cr3t&client_id=1",
    "client_secret=s3cr3t",
    "{'device_code': 's3cr3t', 'interval': 5}",
    '{"access_token":"s3cr3t"}',
    "password: s3cr3t",
    "client_assertion=s3cr3t",
    "$deltatoken=s3cr3t",
    "https://me:s3cr3t@example.org/",
    "Set-Cookie: s3cr3t=1",
    "EwBwA8l6BAAU" + "s3cr3t" * 8,
    "0.AXoA" + "s3cr3t" * 8 + ".x.s3cr3t",
    "M.C5_BAY.0.U." + "s3cr3t" * 8,
]


class TestSecrets:
    @pytest.mark.parametrize("level", ["debug", "info"])
    @pytest.mark.parametrize("text", SECRETS)
    def test_in_any_text(self, level: str, text: str) -> None:
        """Tokens, codes and secrets are logged at no level, wherever they stand."""
        log = Log(level=level)

        log.own.error(text, hint=text, deep=[{"a": (text,)}], error=ValueError(text))
        log.own.error("x", **{text: 1})

        assert "s3cr3t" not in log.text
        assert "czNjcjN0" not in log.text
        assert "eyJ" not in log.text

    @pytest.mark.parametrize(
        "key",
        ["token", "access_token", "refresh_token", "id_token", "client_secret", "password",
         "device_code", "user_code", "Authorization", "Set-Cookie", "code_verifier", "assertion"],
    )  # fmt: skip
    def test_under_a_telling_name(self, key: str) -> None:
        """What goes by the name of a secret is none of the log's business, whatever it is."""
        log = Log(level="debug")

        log.own.error("login.failed", **{key: "x1"}, headers={key: ["x1"]})

        assert "x1" not in log.text
        assert log.last[key] == "<redacted>"

    @pytest.mark.parametrize(
        "fact",
        [
            {"token_age_s": 12},
            {"code": "ErrorItemNotFound"},
            {"reason": "status_code=404"},
            {"body": '{"error": {"code": "ErrorItemNotFound"}}'},
            {"uid": "040000008200E00074C5B7101A82E008"},
            {"label": "GET /me/calendars"},
        ],
    )
    def test_facts_stay(self, fact: dict[str, Any]) -> None:
        """What only resembles a secret can still be read."""
        log = Log(level="debug")

        log.own.info("x", **fact)

        assert log.last.items() >= fact.items()


class TestPrivacy:
    FIELDS = (
        "subject",
        "body",
        "address",
        "attendees",
        "summary",
        "description",
        "location",
        "email",
    )

    @pytest.mark.parametrize("field", FIELDS)
    def test_people_and_texts_at_debug_only(self, field: str) -> None:
        """What an event says is dropped, at any depth, unless the level is debug."""
        info, fact = Log(), {field: "Dentist"}
        info.own.error("x", **fact, deep=[{"item": fact}])

        debug = Log(level="debug")
        debug.own.error("x", **fact)

        assert "Dentist" not in info.text
        assert debug.last[field] == "Dentist"

    def test_addresses_within_texts(self) -> None:
        """An address in a message is taken out, but for debug; names that people gave stay."""
        info = Log()
        info.own.error("x", reason="no mailbox a.b+c@example.org", uid="1@example.org")

        debug = Log(level="debug")
        debug.own.error("x", reason="no mailbox a@example.org")

        assert info.last["reason"] == "no mailbox <address>"
        assert info.last["uid"] == "1@example.org"
        assert "a@example.org" in debug.text

    def test_bytes(self) -> None:
        """Raw bytes are a body more often than not: their number is enough."""
        assert redacted(b"BEGIN:VCALENDAR") == "<15 bytes>"


class TestHostileTexts:
    def test_line_of_its_own(self) -> None:
        """A name with a line end cannot write a line of its own."""
        log = Log(form="console")

        log.own.info("x", calendar="Team\n2026-01-01 [info] all.fine\x1b[2J\u2028\udcff")

        assert len(log.lines) == 1
        assert "Team\\n2026" in log.text
        assert log.text[:-1].isprintable()

    @given(st.text())
    def test_any_text_on_the_console(self, text: str) -> None:
        """Event, names and values together are one printable line, whatever they hold."""
        log = Log(form="console")

        log.own.warning(text, calendar=text, **{f"k{text}": text})

        assert log.text.endswith("\n")
        assert log.text[:-1].isprintable()

    @given(st.text())
    def test_any_text_in_json(self, text: str) -> None:
        """Event, names and values together are one line of ASCII, whatever they hold."""
        log = Log(level="debug")

        log.own.warning("x", calendar=text, **{f"k{text}": text})

        assert len(log.lines) == 1
        assert log.text.isascii()

    def test_long_text(self) -> None:
        """A text of any length costs little, and leaves little."""
        assert len(redacted("a" * 1_000_000)) < 30_000
        assert len(redacted("a." * 10_000 + "@")) < 30_000

    def test_deep_value(self) -> None:
        """A value nested without end is cut."""
        endless: list[Any] = []
        endless.append(endless)

        assert "…" in str(redacted(endless))

    def test_object_that_cannot_tell(self) -> None:
        """An object whose text cannot be made is named by its type."""

        class Mute:
            def __str__(self) -> str:
                raise RuntimeError

        assert redacted({"x": Mute()}) == {"x": "<Mute>"}
