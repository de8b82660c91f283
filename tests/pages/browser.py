"""Debian's Chromium, without a window: what a page does in it, and what it looks like."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

AXE = Path("/usr/local/lib/axe-core/node_modules/axe-core/axe.min.js")
"""Where infra/ci/install-system-packages.sh installs it."""
SIZES = {"phone": (390, 844), "tablet": (820, 1180), "desktop": (1440, 900)}
"""Width and height of windows in CSS pixels."""

REMOVE_REPEATED = """(selector) => {
    const seen = new Map();
    for (const one of document.querySelectorAll(selector)) {
        const count = (seen.get(one.parentElement) ?? 0) + 1;
        seen.set(one.parentElement, count);
        if (count > 2) one.remove();
    }
}"""


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A Chromium that ends with the block; the test is skipped where there is none, unless LAKETAG_REQUIRE_ALL is set."""
    program = shutil.which("chromium")
    if program is None or not AXE.is_file():
        reason = "needs Chromium and axe-core; install them with infra/ci/install-system-packages.sh"
        if os.environ.get("LAKETAG_REQUIRE_ALL"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """An open page, and everything that it complained about or loaded."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    """Errors and warnings of the console, uncaught exceptions, and dialogs, which a page of ours never opens."""
    loaded: list[str] = field(default_factory=list)
    """URLs that it requested, without those of data."""

    def find_faults(self, repeated: str = "") -> list[str]:
        """What axe-core finds wrong for people who cannot see the page or use a mouse: rule, element and reason.

        Of the elements of a parent that the selector ``repeated`` finds, which one template has made, the first two are checked,
        and the others are gone: axe-core takes half a minute for hundreds of pictures with boxes.
        """
        if repeated:
            self.page.evaluate(REMOVE_REPEATED, repeated)
        # evaluated in the page's own world, whatever its policy says of scripts
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found: dict[str, Any] = self.page.evaluate("axe.run()")
        return [
            f"{fault['id']}: {node['target']} {node['failureSummary']}"
            for fault in found["violations"]
            for node in fault["nodes"][:3]
        ]

    def is_wider_than_window(self) -> bool:
        """Whether the page must be moved sideways to be read."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))


@contextmanager
def visit(browser: Browser, url: str, size: str = "desktop", *, dark: bool = False) -> Iterator[Visit]:
    """The page at the URL, loaded, in a window of this size."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
    )
    try:
        page = context.new_page()
        found = Visit(page)
        page.on(
            "console",
            lambda said: (
                found.complaints.append(f"{said.type}: {said.text}")
                if said.type in ("error", "warning")
                else None
            ),
        )
        page.on("pageerror", lambda error: found.complaints.append(f"exception: {error}"))
        page.on(
            "dialog", lambda dialog: (found.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss())
        )
        page.on(
            "request",
            lambda request: found.loaded.append(request.url) if request.url[:5] != "data:" else None,
        )
        page.goto(url, wait_until="load")
        yield found
    finally:
        context.close()
