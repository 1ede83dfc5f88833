"""A server for tests that speaks the part of Google Cloud Storage's JSON API that the client uses.

It keeps objects in memory with their generations, obeys ``ifGenerationMatch`` atomically, and can
lose answers: the change is made, but the client hears of an error.
"""

from __future__ import annotations

import base64
import email
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from google_crc32c import Checksum

UPLOAD, DOWNLOAD = "/upload/storage/v1/b/", "/download/storage/v1/b/"


class GcsServer:
    """A running server; ``address`` belongs into STORAGE_EMULATOR_HOST."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, int]] = {}
        self.lost_answers = 0
        self.uploads = self.downloads = 0
        self._generation = 0
        self._lock = threading.Lock()
        outer = self

        class Handler(_Handler):
            server_of = outer

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def put(self, name: str, body: bytes, match: str | None) -> tuple[int, int]:
        """Store an object under a condition; return the status and the generation."""
        with self._lock:
            self.uploads += 1
            held = self.objects.get(name, (b"", 0))[1]
            if match is not None and int(match) != held:
                return 412, held
            self._generation += 1
            self.objects[name] = body, self._generation
            if self.lost_answers:
                self.lost_answers -= 1
                return 503, held
            return 200, self._generation

    def get(self, name: str) -> tuple[bytes, int] | None:
        """Return an object and its generation."""
        with self._lock:
            self.downloads += "/" in name  # the client also asks for buckets
            return self.objects.get(name)

    def __enter__(self) -> GcsServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    server_of: GcsServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        parts = urlsplit(self.path)
        bucket = parts.path.removeprefix(UPLOAD).partition("/")[0]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        meta, content = email.message_from_bytes(kind + body).get_payload()
        name = f"{bucket}/{json.loads(meta.get_payload())['name']}"
        data = content.get_payload(decode=True)
        match = parse_qs(parts.query).get("ifGenerationMatch", [None])[0]
        status, generation = self.server_of.put(name, data, match)
        said = {"name": name, "bucket": bucket, "generation": str(generation), "size": len(data)}
        if status != 200:
            said = {"error": {"code": status, "message": "conditionNotMet"}}
        elif b"md5Hash" in body or b"crc32c" in body:
            said |= {"crc32c": _crc32c(data)}
        self._answer(status, json.dumps(said).encode(), {"Content-Type": "application/json"})

    def do_GET(self) -> None:
        bucket, _, rest = urlsplit(self.path).path.removeprefix(DOWNLOAD).partition("/o/")
        found = self.server_of.get(f"{bucket}/{unquote(rest)}" if rest else "")
        if found is None:
            self._answer(404, b'{"error": {"code": 404, "message": "Not Found"}}', {})
            return
        body, generation = found
        hashes = f"crc32c={_crc32c(body)}"
        self._answer(200, body, {"X-Goog-Generation": str(generation), "X-Goog-Hash": hashes})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def _crc32c(body: bytes) -> str:
    return base64.b64encode(Checksum(body).digest()).decode()
