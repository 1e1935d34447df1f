"""A small Internet of network namespaces: machines, routers that translate addresses, a TURN server. Needs root.

All stand on one link, 203.0.113.0/24 and 2001:db8::/64; behind router N lies 10.N.0.0/24.
"""

import ctypes
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

NETWORK, NETWORK_V6 = "203.0.113", "2001:db8:"
TOOLS = ("ip", "nft", "turnserver", "openssl")
CLONE_NEWNET = 0x40000000


def missing() -> str | None:
    """Why there can be no namespaces here; None if there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    gone = [tool for tool in TOOLS if not shutil.which(tool)]
    return f"{', '.join(gone)} missing: script/bootstrap --network installs what is needed" if gone else None


def run(*command, text: str | None = None) -> str:
    done = subprocess.run([*map(str, command)], input=text, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stderr}{text or ''}"
    return done.stdout


class Machine:
    """A namespace with one address outside."""

    def __init__(self, name: str):
        self.name, self.address = name, None
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")

    @property
    def prefix(self) -> tuple[str, ...]:
        """In front of a command that is to run here."""
        return ("ip", "netns", "exec", self.name)

    def ip(self, *words):
        return run("ip", "-n", self.name, *words)

    def nft(self, rules: str):
        run(*self.prefix, "nft", "-f", "-", text=rules)

    def enter(self):
        """From now on the calling thread opens its sockets here."""
        with open(f"/run/netns/{self.name}") as space:
            if ctypes.CDLL(None, use_errno=True).setns(space.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"setns {self.name}")

    def do(self, what, *arguments):
        """Calls a function on a thread of its own in this namespace."""
        result = []

        def body():
            self.enter()
            try:
                result.append((what(*arguments), None))
            except BaseException as error:  # handed to the caller
                result.append((None, error))

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        value, error = result[0]
        if error:
            raise error
        return value


class Router(Machine):
    """Between the Internet and the machines behind it."""

    def __init__(self, name, number, internet):
        super().__init__(name)
        self.number, self.internet, self.count = number, internet, 1
        run(*self.prefix, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.ip("link", "add", "in", "type", "bridge")
        self.ip("address", "add", f"10.{number}.0.1/24", "dev", "in")
        self.ip("link", "set", "in", "up")

    def machine(self, name) -> Machine:
        made = self.internet.add(Machine(self.internet.prefix + name))
        self.count += 1
        made.address = f"10.{self.number}.0.{self.count}"
        made.ip("link", "add", "out", "type", "veth", "peer", "name", f"v{self.count}", "netns", self.name)
        self.ip("link", "set", f"v{self.count}", "master", "in", "up")
        made.ip("address", "add", f"{made.address}/24", "dev", "out")
        made.ip("link", "set", "out", "up")
        made.ip("route", "add", "default", "via", f"10.{self.number}.0.1")
        return made

    def translate(self, kind: str):
        """`cone`: a socket keeps its port outside, and hears only whom it has spoken to. `symmetric`: it has another
        port for each destination."""
        how = {"cone": "masquerade", "symmetric": "masquerade random,fully-random"}[kind]
        self.nft(f"table ip nat {{\n chain out {{\n type nat hook postrouting priority 100\n "
                 f"oifname out {how}\n }}\n }}")
        # What nobody asked for is dropped, as routers do. Taken in, it would be a connection to Linux, whose port a
        # socket inside could not keep when it speaks to the same address.
        self.nft("table ip guard {\n chain taken {\n type filter hook input priority 0\n "
                 "iifname out meta l4proto udp drop\n }\n }")
        return self

    def forward(self, protocol: str, port: int, machine: Machine):
        """What comes to that port outside goes to a machine inside."""
        self.nft(f"table ip nat {{\n chain forwarded {{\n type nat hook prerouting priority -100\n "
                 f"iifname out {protocol} dport {port} dnat to {machine.address}\n }}\n }}")
        return self

    def block_udp(self):
        self.nft("table ip walls {\n chain through {\n type filter hook forward priority 0\n "
                 "meta l4proto udp drop\n }\n }")
        return self


class Internet:
    """For a `with` block: everything is gone after it."""

    def __init__(self):
        self.prefix = f"nat{os.getpid()}-"
        self.spaces, self.children = [], []

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="nat-")
        self.net = self.add(Machine(self.prefix + "net"))
        self.net.ip("link", "add", "net", "type", "bridge")
        self.net.ip("address", "add", f"{NETWORK}.1/24", "dev", "net")
        self.net.ip("address", "add", f"{NETWORK_V6}:1/64", "nodad", "dev", "net")
        self.net.ip("link", "set", "net", "up")
        return self

    def __exit__(self, *_):
        for child in self.children:
            child.terminate()
        for child in self.children:
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        for space in reversed(self.spaces):
            subprocess.run(["ip", "netns", "delete", space.name], capture_output=True)
        self.folder.cleanup()

    def add(self, space):
        self.spaces.append(space)
        return space

    def _plug(self, space, number, families):
        space.ip("link", "add", "out", "type", "veth", "peer", "name", f"m{number}", "netns", self.net.name)
        self.net.ip("link", "set", f"m{number}", "master", "net", "up")
        space.ip("link", "set", "out", "up")
        known = {4: (NETWORK, ".", 24, []), 6: (NETWORK_V6, ":", 64, ["nodad"])}
        for family in families:
            net, dot, bits, more = known[family]
            space.address = f"{net}{dot}{number:{'x' if family == 6 else 'd'}}"
            space.ip("address", "add", f"{space.address}/{bits}", *more, "dev", "out")
            # Chromium's addresses are those it would reach the Internet from.
            space.ip("route", "add", "default", "via", f"{net}{dot}1")

    def machine(self, name, number, families=(4,)) -> Machine:
        """On the open Internet; its `address` is of the last family."""
        made = self.add(Machine(self.prefix + name))
        self._plug(made, number, families)
        return made

    def router(self, name, number) -> Router:
        made = self.add(Router(self.prefix + name, number, self))
        self._plug(made, number, (4,))
        return made

    def turn(self, name="turn", number=3) -> "TURN":
        machine = self.machine(name, number)
        second = f"{NETWORK}.{number + 1}"
        machine.ip("address", "add", f"{second}/24", "dev", "out")
        return TURN(self, machine, second)


class TURN:
    """coturn as docs/turnserver.conf has it, on 3478 (UDP and TCP) and 5349 (TLS), with a certificate of its own; a
    STUN server too, at two addresses."""

    RECIPE = pathlib.Path(__file__).resolve().parents[2] / "docs/turnserver.conf"
    USER, PASSWORD, PORT, TLS_PORT = "tessera", "change-me", 3478, 5349

    def __init__(self, internet, machine, second):
        self.machine, self.address, self.second = machine, machine.address, second
        folder = pathlib.Path(internet.folder.name)
        self.certificate = folder / "turn.pem"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=turn", "-addext", f"subjectAltName=IP:{self.address}",
            "-keyout", folder / "turn.key", "-out", self.certificate)
        self.log = open(folder / "turn.log", "w+")
        internet.children.append(subprocess.Popen([
            *machine.prefix, "turnserver", "-c", self.RECIPE, "-L", self.address, "-L", second, "-E", self.address,
            "--cert", self.certificate, "--pkey", folder / "turn.key", "-b", folder / "turn.db",
            "--log-file", "stdout", "--simple-log", "--pidfile", folder / "turn.pid"],
            stdout=self.log, stderr=subprocess.STDOUT))
        end = time.monotonic() + 10
        while True:
            try:
                machine.do(mapped, [(self.address, self.PORT)])
                break
            except TimeoutError:
                assert time.monotonic() < end, "coturn does not answer"

    @property
    def stun(self) -> str:
        return f"{self.address}:{self.PORT}"

    def option(self, transport: str) -> str:
        """The value of `--turn`."""
        port = self.TLS_PORT if transport == "tls" else self.PORT
        return f"{self.USER}:{self.PASSWORD}@{self.address}:{port}?transport={transport}"


def mapped(servers, timeout=2) -> list[tuple[str, int]]:
    """Our address as STUN servers see that of one socket. To be called in a namespace."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.settimeout(timeout)
        for server in servers:
            opened.sendto(struct.pack(">HHI12s", 1, 0, 0x2112A442, os.urandom(12)), server)
            data = opened.recv(2048)
            at = 20
            while at + 4 <= len(data):
                kind, length = struct.unpack_from(">HH", data, at)
                if kind == 0x20:
                    port, ip = struct.unpack_from(">HI", data, at + 6)
                    found.append((socket.inet_ntoa(struct.pack(">I", ip ^ 0x2112A442)), port ^ 0x2112))
                at += 4 + (length + 3) // 4 * 4
    return found
