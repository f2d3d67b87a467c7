"""A service that says whatever it is told to, in a thread; batches are answered part by part."""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Said:
    """A whole answer."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)


@dataclass
class LyingService:
    """Answers by the first pattern that fits the path; what was said last counts first."""

    base_url: str = ""
    lies: list[tuple[re.Pattern[str], Said]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def say(self, pattern: str, body: Any, status: int = 200, **headers: str) -> None:
        """Answer paths that match with bytes or with JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.lies.insert(0, (re.compile(pattern), Said(data, status, JSON | named)))

    def be_honest(self) -> None:
        """One mailbox, one calendar, one event."""
        self.say("", {"error": {"code": "ErrorItemNotFound"}}, status=404)
        self.say("/me$", {"id": "u", "mail": "me@example.org"})
        self.say("/mailboxSettings", {"timeZone": "UTC"})
        self.say("/events", {"value": [row("good", "Good")]})
        self.say("/events/good", row("good", "Good"))
        self.say("/me/calendars[?]", {"value": [{"id": "c", "name": "Calendar"}]})
        self.page(row("good", "Good"))

    def page(self, *rows: object, **links: str) -> None:
        """The answer to a delta; a row is JSON or, as bytes, what looks like it."""
        texts = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in rows]
        links = links or {"@odata.deltaLink": f"{self.base_url}/calendarView/delta?$deltatoken=1"}
        rest = b"".join(f", {json.dumps(k)}: {json.dumps(v)}".encode() for k, v in links.items())
        self.say("calendarView", b'{"value": [' + b",".join(texts) + b"]" + rest + b"}")

    def answer(self, path: str) -> Said:
        self.asked.append(path)
        return next(said for pattern, said in self.lies if pattern.search(path))

    def batch(self, body: bytes) -> Said:
        parts = []
        for one in json.loads(body)["requests"]:
            said = self.answer(one["url"])
            head = {"id": one["id"], "status": said.status, "headers": dict(said.headers)}
            parts.append(json.dumps(head).encode()[:-1] + b', "body": ' + said.body + b"}")
        return Said(b'{"responses": [' + b",".join(parts) + b"]}")


def row(id: str, subject: str, **members: Any) -> dict[str, Any]:  # noqa: A002 - Graph's word
    """An event as Graph sends it."""
    return {
        "@odata.etag": "W/1",
        "id": id,
        "type": "singleInstance",
        "iCalUId": f"ical-{id}",
        "subject": subject,
        "isAllDay": False,
        "start": {"dateTime": "2030-01-01T10:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": "2030-01-01T11:00:00.0000000", "timeZone": "UTC"},
        **members,
    }


@contextmanager
def lying() -> Iterator[LyingService]:
    """Serve until the block ends."""
    service = LyingService()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            said = service.batch(body) if "$batch" in self.path else service.answer(self.path)
            self.send_response(said.status)
            for name, value in {**said.headers, "Content-Length": str(len(said.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.body)

        do_GET = do_POST = do_PATCH = do_DELETE = answer

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.base_url = f"http://127.0.0.1:{server.server_port}/v1.0"
    service.be_honest()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
