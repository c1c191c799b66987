"""A real OpenID provider in a process of its own, and a gate before it that can bend what passes through."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from tests.workflows.stack import free_port, wait_for_port

PROGRAM = Path(sys.executable).with_name("oidc-provider-mock")
Fields = dict[str, str]


@dataclass
class Gate:
    """Stands before the provider under the issuer's address. By itself it only passes on."""

    behind: int
    port: int = field(default_factory=free_port)
    asked: list[Fields] = field(default_factory=list[Fields])
    """What came to the token endpoint."""
    bend_question: Callable[[Fields], Fields] = lambda fields: fields
    bend_answer: Callable[[dict[str, Any]], dict[str, Any]] = lambda answer: answer
    bend_description: Callable[[dict[str, Any]], dict[str, Any]] = lambda told: told

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, method: str, path: str, headers: Fields, body: bytes) -> tuple[int, Fields, bytes]:
        token = path.startswith("/oauth2/token")
        if token:
            fields = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            self.asked.append(fields)
            fields = self.bend_question(fields)
            body = urlencode(fields).encode()
            drop = ("content-length", "authorization") if "client_id" in fields else ("content-length",)
            headers = {name: value for name, value in headers.items() if name.lower() not in drop}
        with httpx.Client(trust_env=False) as http:
            got = http.request(method, f"http://127.0.0.1:{self.behind}{path}", headers=headers, content=body)
        content = got.content
        if token and got.status_code == 200:
            content = json.dumps(self.bend_answer(got.json())).encode()
        if path.startswith("/.well-known"):
            content = json.dumps(self.bend_description(got.json())).encode()
        kept = {name: value for name, value in got.headers.items() if name.lower() in ("content-type", "location")}
        return got.status_code, kept, content


@contextlib.contextmanager
def gate(behind: int) -> Iterator[Gate]:
    made = Gate(behind)

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("content-length", "0"))
            status, headers, body = made.answer(self.command, self.path, dict(self.headers), self.rfile.read(length))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _serve  # noqa: N815 - named by the library

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", made.port), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def provider(port: int, *people: dict[str, Any]) -> Iterator[str]:
    """The provider with these people; its address. Started anew it has new keys."""
    told = [option for person in people for option in ("--user-claims", json.dumps(person))]
    process = subprocess.Popen(
        [PROGRAM, "--port", str(port), "--require-nonce", *told],
        env={**os.environ, "NO_PROXY": "*"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def authorized(address: str, subject: str) -> str:
    """Sign in at the provider as somebody who was led to this address; where it leads back to."""
    answer = httpx.post(address, data={"sub": subject}, trust_env=False)
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def query_of(address: str) -> Fields:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
