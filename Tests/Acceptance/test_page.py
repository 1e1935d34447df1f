"""The page of `tessera serve` in Chromium: what a person sees and clicks."""

import time

import pytest
from playwright.sync_api import sync_playwright

from live import Server, request

SWITCHES = [
    "--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
]
# How many of the room's pictures differ from the one before, over a second, and the mean of the last.
MOVING = """async () => {
    const room = document.getElementById("room"), canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [64, 36];
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    let before = null, changes = 0, mean = 0;
    for (let count = 0; count < 20; count += 1) {
        pen.drawImage(room, 0, 0, 64, 36);
        const now = pen.getImageData(0, 0, 64, 36).data;
        if (before && now.some((value, index) => Math.abs(value - before[index]) > 8)) changes += 1;
        before = now;
        mean = now.reduce((a, b) => a + b) / now.length;
        await new Promise((done) => setTimeout(done, 50));
    }
    return [changes, mean];
}"""


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=SWITCHES)
        yield chromium
        chromium.close()


class Page:
    def __init__(self, browser, server, query=""):
        self.errors = []
        self.page = browser.new_page()
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)
        self.page.goto(f"{server.url}/{query}")
        self.page.wait_for_selector("#watch:visible")

    def click(self, name):
        self.page.click(f"#{name}")
        return self

    def wait(self, state, text):
        self.page.wait_for_function(
            f"document.body.dataset.state === '{state}' && document.getElementById('state').textContent === '{text}'",
            timeout=20_000)
        return self

    def moves(self):
        for _ in range(15):
            changes, mean = self.page.evaluate(MOVING)
            if changes > 3 and mean > 64:
                return True
        return False

    def close(self):
        self.page.close()
        assert not self.errors


def test_join_watch_and_leave(browser):
    with Server() as server:
        first = Page(browser, server).click("join").wait("connected", "In the room")
        second = Page(browser, server, "?source=test").click("publish").wait("connected", "Publishing")
        watcher = Page(browser, server).click("watch").wait("connected", "Watching")
        assert first.moves() and watcher.moves()
        roles = [session["role"] for session in server.stats["sessions"]]
        assert sorted(roles) == ["publish", "publish", "watch"]
        first.page.wait_for_function("document.getElementById('facts').textContent.includes('VP8')", timeout=10_000)
        assert "kbit/s" in first.page.inner_text("#figures")
        first.click("mic")
        assert first.page.inner_text("#mic") == "Unmute microphone"
        first.click("leave").wait("idle", "Not connected")
        # A page that is closed says good-bye too.
        watcher.close()
        second.close()
        end = time.monotonic() + 10
        while server.stats["sessions"] and time.monotonic() < end:
            time.sleep(0.1)
        assert not server.stats["sessions"]
        first.close()


def test_ice_restart(browser):
    with Server() as server:
        page = Page(browser, server, "?source=test").click("join").wait("connected", "In the room")
        assert page.moves()
        before = page.page.evaluate("tessera.call.signalling.tag")
        page.page.evaluate("tessera.call.signalling.restart()")
        page.wait("connected", "In the room")
        assert page.page.evaluate("tessera.call.signalling.tag") != before
        page.page.wait_for_function("tessera.call.connection.iceConnectionState === 'connected'", timeout=10_000)
        assert page.moves()
        page.click("leave").close()


def test_what_goes_wrong_is_said(browser):
    with Server("pipelines/live-grid.json", "--token", "secret") as server:
        page = Page(browser, server, "?source=test").click("join").wait("failed", "Not connected")
        assert "token" in page.page.inner_text("#trouble")
        page.page.fill("#token", "secret")
        page.click("join").wait("connected", "In the room").click("leave").wait("idle", "Not connected")
        assert request("GET", server.url + "/").headers["Content-Type"].startswith("text/html")
        page.page.close()
