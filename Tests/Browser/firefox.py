"""Firefox without a window, driven over WebDriver BiDi."""

import base64
import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from websockets.sync.client import connect

PREFERENCES = {
    "media.navigator.streams.fake": True, "media.navigator.permission.disabled": True,
    "media.peerconnection.ice.loopback": True,
    "media.autoplay.default": 0, "media.autoplay.blocking_policy": 0, "media.autoplay.block-webaudio": False,
    # No look at the network: the tests are about one machine.
    "app.update.enabled": False, "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False, "browser.shell.checkDefaultBrowser": False,
    "network.captive-portal-service.enabled": False, "network.connectivity-service.enabled": False,
    "media.gmp-manager.updateEnabled": False, "extensions.update.enabled": False,
    "browser.startup.homepage_override.mstone": "ignore", "browser.safebrowsing.malware.enabled": False,
    "services.settings.server": "data:,", "media.peerconnection.mtu": 1200,
}


class Firefox:
    """One Firefox with a profile of its own; `page` opens a tab."""

    def __enter__(self):
        self.profile = tempfile.mkdtemp(prefix="firefox-")
        with open(f"{self.profile}/user.js", "w") as file:
            file.writelines(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
                            for name, value in PREFERENCES.items())
        # Without a sound card Firefox lets no AudioContext run: this one leads nowhere.
        socket = f"{self.profile}/sound.socket"
        self.sound = subprocess.Popen(
            ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--disable-shm", "-L", "module-null-sink",
             "-L", f"module-native-protocol-unix socket={socket} auth-anonymous=1"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "HOME": self.profile,
                                                                       "XDG_RUNTIME_DIR": self.profile})
        while not os.path.exists(socket):
            assert self.sound.poll() is None, "pulseaudio does not start"
            time.sleep(0.02)
        command = [
            "firefox-esr", "--headless", "--no-remote", "--remote-debugging-port", "0", "--profile", self.profile]
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True,
            env={**os.environ, "HOME": self.profile, "MOZ_DISABLE_CONTENT_SANDBOX": "1",
                 "PULSE_SERVER": f"unix:{socket}"})
        address, end = None, time.monotonic() + 60
        for line in self.process.stderr:
            if found := re.search(r"WebDriver BiDi listening on (ws://\S+)", line):
                address = found[1]
                break
            assert time.monotonic() < end, "Firefox does not listen"
        threading.Thread(target=lambda: [None for _ in self.process.stderr], daemon=True).start()
        self.numbers = itertools.count(1)
        self.stack = contextlib.ExitStack()
        self.socket = self.stack.enter_context(connect(f"{address}/session", max_size=None, open_timeout=30))
        self.ask("session.new", {"capabilities": {}})
        return self

    def __exit__(self, *_):
        try:
            self.stack.close()
        finally:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.sound.terminate()
            self.sound.wait()
            shutil.rmtree(self.profile, ignore_errors=True)

    def ask(self, method: str, parameters: dict, timeout: float = 120) -> dict:
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        end = time.monotonic() + timeout
        while True:
            said = json.loads(self.socket.recv(timeout=max(0.1, end - time.monotonic())))
            if said.get("id") != number:
                continue
            if said["type"] == "error":
                raise RuntimeError(f"{method}: {said['error']}: {said['message']}")
            return said["result"]

    def page(self, url: str) -> "Page":
        context = self.ask("browsingContext.create", {"type": "tab"})["context"]
        page = Page(self, context)
        self.ask("browsingContext.navigate", {"context": context, "url": url, "wait": "complete"})
        return page


class Page:
    """A tab; what it needs of Playwright's page."""

    def __init__(self, firefox: Firefox, context: str):
        self.firefox, self.context = firefox, context

    def evaluate(self, code: str, argument=None):
        """As Playwright's: an expression, or an async function that is called with the argument."""
        text = code.strip()
        if text.startswith("async"):
            text = f"({text})({json.dumps(argument)})"
        wrapped = f"Promise.resolve({text}).then((said) => JSON.stringify(said === undefined ? null : said))"
        result = self.firefox.ask("script.evaluate", {
            "expression": wrapped, "target": {"context": self.context}, "awaitPromise": True,
            "userActivation": True})
        if result["type"] == "exception":
            raise RuntimeError(result["exceptionDetails"]["text"])
        return json.loads(result["result"]["value"])

    def add_script(self, text: str):
        self.evaluate(f"(() => {{ {text}\n }})()")

    def screenshot(self, path: str):
        result = self.firefox.ask("browsingContext.captureScreenshot", {"context": self.context})
        with open(path, "wb") as file:
            file.write(base64.b64decode(result["data"]))

    def close(self):
        self.firefox.ask("browsingContext.close", {"context": self.context})
