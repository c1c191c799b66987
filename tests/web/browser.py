"""The whole product in a real Chromium: `holdfast up` on ports of its own, people who sign in, and axe on every page.

Chromium comes from the system. Where it is missing, root gets it with apt; anybody else is told how.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, ViewportSize, expect, sync_playwright

from tests.cli.test_up import ROOT, Up, until

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CONTRAST = ["color-contrast"]
"""What can differ between light and dark."""
SHOTS = ROOT / "var" / "screenshots"
NAMES = ("chromium", "chromium-browser", "google-chrome")
GET_IT = ("apt-get", "install", "--yes", "--no-install-recommends", "chromium")
HARMLESS = ("Autofocus processing was blocked", "Password forms should have")

PATIENCE = 60_000
"""Milliseconds for one step of a browser on a slow machine."""

Scheme = Literal["light", "dark"]
SIZES: dict[str, ViewportSize] = {"desktop": {"width": 1440, "height": 900}, "phone": {"width": 360, "height": 740}}


@cache
def chromium() -> str:
    """The path of Chromium; got with apt when we may. Skips the test, and says what is missing, when there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (("apt-get", "update"), GET_IT):
            subprocess.run(command, check=False, capture_output=True, timeout=600)
        found = shutil.which("chromium")
    if found is None:
        pytest.skip(f"Chromium is missing: run `{' '.join(GET_IT)}` as root, then again")
    return found


@dataclass
class Visitor:
    """Somebody at a browser, signed in."""

    context: BrowserContext
    address: str
    page: Page = field(init=False)
    complaints: list[str] = field(default_factory=list[str])
    """What the browser complained of: blocked scripts, missing files, errors."""

    def __post_init__(self) -> None:
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(HARMLESS):
            self.complaints.append(message.text)

    def goes_to(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page

    def signs_in(self, person: str, password: str) -> None:
        page = self.goes_to("/sign-in")
        page.get_by_label("Account").fill(person)
        page.get_by_label("Password").fill(password)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{self.address}/**", wait_until="load")
        page.get_by_text("Hide screen").first.wait_for(state="attached")

    def violations(self, rules: Sequence[str] = RULES) -> list[str]:
        """What axe finds on the page as it is, in one line each."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE)
        found: Any = self.page.evaluate("rules => axe.run(document, {runOnly: rules})", list(rules))
        return [f"{one['id']}: {[node['target'] for node in one['nodes']][:5]}" for one in found["violations"]]

    def overflow(self) -> int:
        """CSS pixels by which the page is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth - innerWidth")

    def picture(self, name: str) -> None:
        """Keep what the page looks like, for people to judge."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png")


@dataclass
class House:
    """A running installation and a browser."""

    up: Up
    browser: Browser
    password: str

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.up.web}"

    @contextmanager
    def guest(self) -> Generator[Visitor]:
        """Somebody who has yet to sign in."""
        context = self.browser.new_context(viewport=SIZES["desktop"], reduced_motion="reduce")
        try:
            yield Visitor(context, self.address)
        finally:
            context.close()

    @contextmanager
    def visitor(
        self, person: str, size: str = "desktop", scheme: Scheme = "light", *, scripts: bool = True
    ) -> Generator[Visitor]:
        """Somebody who has signed in, in a browser window of their own."""
        context = self.browser.new_context(
            viewport=SIZES[size], color_scheme=scheme, java_script_enabled=scripts, reduced_motion="reduce"
        )
        try:
            visitor = Visitor(context, self.address)
            visitor.signs_in(person, self.password)
            yield visitor
        finally:
            context.close()


@contextmanager
def house(folder: Path, **told: str) -> Generator[House]:
    """`holdfast up` with its demo people, clients and episodes and these settings, and Chromium beside it."""
    path = chromium()
    up = Up(folder, told)
    try:
        up.start()
        until(lambda: "fictional episodes" in up.said(), 60)
        password = re.search(r"password +(\S+)", up.said())
        assert password is not None
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            expect.set_options(timeout=PATIENCE)
            yield House(up, browser, password[1])
            browser.close()
    finally:
        if up.process is not None and up.process.poll() is None:
            up.stop()
