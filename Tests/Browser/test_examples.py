"""The applications in `examples/`, each with its server, Tessera, and real pages."""

import contextlib
import os
import pathlib
import re
import subprocess
import sys
import time

import pytest
from playwright.sync_api import sync_playwright

from firefox import Firefox
from live import Server

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAGS = [
    "--use-fake-device-for-media-stream=fps=30", "--use-fake-ui-for-media-stream", "--no-sandbox",
    "--autoplay-policy=no-user-gesture-required", "--disable-features=WebRtcHideLocalIpsWithMdns"]


@pytest.fixture(scope="module")
def tessera():
    with Server() as server:
        yield f"ws://localhost:{server.url.rsplit(':', 1)[1]}/kurento"


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        browser.close()


@contextlib.contextmanager
def example(name, tessera):
    """The example's server on a free port, as its URL."""
    command = [sys.executable, str(ROOT / "examples" / name / "server.py"), "--port", "0", "--tessera", tessera]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    try:
        yield process.stdout.readline().strip()
        assert process.poll() is None
    finally:
        process.terminate()
        process.wait(10)


def open_page(chromium, url):
    page = chromium.new_page(viewport={"width": 900, "height": 700})
    page.goto(url)
    return page


def moving(page, selector, seconds=20):
    """Waits until the pictures of a video element change."""
    shot = f"""(() => {{
        const video = document.querySelector("{selector}");
        if (!video.videoWidth) return "";
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [64, 36];
        const context = canvas.getContext("2d");
        context.drawImage(video, 0, 0, 64, 36);
        return Array.from(context.getImageData(0, 0, 64, 36).data).join();
    }})()"""
    seen = set()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seen.add(page.evaluate(shot))
        if len(seen - {""}) >= 3:
            return True
        time.sleep(0.2)
    return False


def test_hello_world(tessera, chromium):
    with example("hello-world", tessera) as url:
        page = open_page(chromium, url)
        page.click("#start")
        assert moving(page, "#remote")
        page.click("#stop")
        page.close()


def test_in_firefox(tessera):
    with example("hello-world", tessera) as url, Firefox() as firefox:
        page = firefox.page(url)
        page.evaluate("document.getElementById('start').click()")
        assert moving(page, "#remote")
        page.close()


def test_one_to_one_call(tessera, chromium):
    with example("one-to-one-call", tessera) as url:
        pages = [open_page(chromium, url) for _ in range(2)]
        for page, name in zip(pages, ["ada", "bob"]):
            page.fill("#name", name)
            page.click("#enter button")
            page.wait_for_selector("#dial:not([hidden])")
        pages[0].fill("#to", "bob")
        pages[0].click("#dial button")
        assert all([moving(page, "#remote") for page in pages])
        pages[1].click("#hangup")
        pages[0].wait_for_function("document.getElementById('status').textContent.includes('hung up')")
        for page in pages:
            page.close()


def test_one_to_many_broadcast(tessera, chromium):
    with example("one-to-many-broadcast", tessera) as url:
        pages = [open_page(chromium, url) for _ in range(3)]
        pages[1].click("#watch")
        pages[1].wait_for_function("document.getElementById('status').textContent.includes('Nobody')")
        pages[0].click("#present")
        pages[0].wait_for_function("document.getElementById('status').textContent == 'connected'")
        for page in pages[1:]:
            page.click("#watch")
        assert all([moving(page, "#video") for page in pages[1:]])
        pages[0].close()
        pages[1].wait_for_function("document.getElementById('status').textContent.includes('gone')")
        for page in pages[1:]:
            page.close()


def test_group_call(tessera, chromium, tmp_path):
    with example("group-call", tessera) as url:
        pages = [open_page(chromium, url) for _ in range(3)]
        for page in pages:
            page.click("#join")
        assert all([moving(page, "#grid") for page in pages])
        pages[0].click("#record")
        pages[1].wait_for_function("document.getElementById('status').textContent.includes('recorded to')")
        file = re.search(r"/tmp/\S+", pages[1].text_content("#status"))[0]
        time.sleep(4)
        pages[0].click("#record")
        pages[1].wait_for_function("!document.getElementById('status').textContent.includes('recorded to')")
        described = subprocess.check_output(
            ["ffprobe", "-v", "error", "-show_entries", "format=duration:stream=codec_name", "-of", "csv=p=0", file],
            text=True)
        os.remove(file)
        assert "vp8" in described and "opus" in described
        assert float(described.split()[-1]) > 2.5
        pages[0].screenshot(path=str(tmp_path / "group.png"))
        for page in pages:
            page.close()


def test_recorder_and_player(tessera, chromium):
    with example("recorder-and-player", tessera) as url:
        page = open_page(chromium, url)
        page.click("#record")
        page.wait_for_function("document.getElementById('status').textContent.includes('recording to')", timeout=20000)
        file = re.search(r"/tmp/\S+", page.text_content("#status"))[0]
        time.sleep(5)
        page.click("#stop")
        page.wait_for_function("document.getElementById('status').textContent.includes('recorded')")
        page.click("#play")
        assert moving(page, "#video")
        page.wait_for_function("document.getElementById('status').textContent.includes('all')", timeout=30000)
        page.close()
        os.remove(file)


def test_data_channel_chat(tessera, chromium):
    with example("data-channel-chat", tessera) as url:
        pages = [open_page(chromium, url) for _ in range(2)]
        for page in pages:
            page.click("#join")
            page.wait_for_function("document.getElementById('status').textContent == 'connected'")
        time.sleep(1)
        for number, page in enumerate(pages):
            page.fill("#text", f"hello from {number}")
            page.click("#say button")
        for page in pages:
            page.wait_for_function("document.getElementById('log').children.length == 2")
            assert sorted(page.locator("#log div").all_text_contents()) == ["hello from 0", "hello from 1"]
            page.close()
