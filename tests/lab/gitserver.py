"""A Git repository served over HTTP on loopback, with or without a password: git's own server behind a small one."""

from __future__ import annotations

import base64
import contextlib
import http.server
import os
import pathlib
import subprocess
import threading
from collections.abc import Iterator, Mapping
from typing import Any

BRANCH = "main"


class Repository:
    """A repository at `url`; `password` (None: public) belongs to whatever user name."""

    def __init__(self, folder: pathlib.Path, url: str) -> None:
        self.url = url
        self._work = folder / "work"
        self._git("init", "--quiet", "--bare", f"--initial-branch={BRANCH}", str(folder / "served.git"), cwd=folder)
        self._git("clone", "--quiet", str(folder / "served.git"), str(self._work), cwd=folder)
        self._git("switch", "--quiet", "--create", BRANCH)

    def commit(self, files: Mapping[str, str | None]) -> str:
        """Write files (None: delete), commit and push; returns the commit's id."""
        for path, text in files.items():
            file = self._work / path
            if text is None:
                file.unlink()
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", "change")
        self._git("push", "--quiet", "origin", BRANCH)
        return self._git("rev-parse", "HEAD")

    def _git(self, *arguments: str, cwd: pathlib.Path | None = None) -> str:
        names = {
            f"GIT_{role}_{what}": "test@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        own = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, **names}
        done = subprocess.run(
            ["git", *arguments], cwd=cwd or self._work, env={**os.environ, **own}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@contextlib.contextmanager
def serve(folder: pathlib.Path, address: str, password: str | None = None) -> Iterator[Repository]:
    """Serve an empty repository made in `folder`, as long as the context lasts."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def _answer(self, body: bytes) -> None:
            if password is not None and self._password() != password:
                self._send(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
                return
            path, _, query = self.path.partition("?")
            variables = {
                "GIT_PROJECT_ROOT": str(folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REMOTE_ADDR": self.client_address[0],
                "PATH": os.environ["PATH"],
            }
            done = subprocess.run(["git", "http-backend"], input=body, env=variables, capture_output=True, check=False)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
            self._send(int(headers.pop("Status", "200").split()[0]), headers, content)

        def _password(self) -> str:
            _, _, given = self.headers.get("Authorization", "").partition(" ")
            return base64.b64decode(given).decode().partition(":")[2]

        def _send(self, code: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response(code)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer((address, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Repository(folder, f"http://{address}:{server.server_address[1]}/served.git")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
