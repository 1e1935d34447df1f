#!/usr/bin/python3
"""A WHIP and WHEP peer of GStreamer's webrtcbin. Runs under the system's Python, which has GStreamer.

    gst_peer.py URL sendonly|recvonly|sendrecv VIDEO|- AUDIO|- FOLDER-WITH-PICTURES
    gst_peer.py - sendrecv VIDEO|- AUDIO|- FOLDER-WITH-PICTURES

The second reads an offer, a line of JSON on standard input, and says its answer on standard output.
Says on standard output what it sees, one line of JSON twice a second, and leaves when standard input ends.
"""

import json
import re
import sys
import threading
import time
import urllib.request

import gi
import numpy

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

import mark  # noqa: E402
import recipes  # noqa: E402

Gst.init(None)
DIRECTIONS = {
    "sendonly": GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY,
    "recvonly": GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY,
    "sendrecv": GstWebRTC.WebRTCRTPTransceiverDirection.SENDRECV,
}


def number(offer, codec):
    """The payload type that an offer has for a codec first; None where there is none."""
    found = re.search(rf"a=rtpmap:(\d+) {codec}/", offer, re.IGNORECASE)
    return int(found[1]) if found else None


class Peer:
    def __init__(self, url, direction, video, audio, folder):
        self.url, self.direction, self.session = url, direction, None
        wanted = [name for name in (video, audio) if name != "-"]
        text = "webrtcbin name=w bundle-policy=max-bundle latency=100 "
        offer = json.loads(sys.stdin.readline()) if url == "-" else ""
        if direction != "recvonly":
            text += " ".join(f"{recipes.send(name, folder, number(offer, name))} ! w." for name in wanted)
        self.pipeline = Gst.Pipeline()
        self.pipeline.add(Gst.parse_bin_from_description(text, False))
        self.bin = self.pipeline.get_by_name("w")
        self.loop = GLib.MainLoop()
        self.lock = threading.Lock()
        self.numbers, self.last, self.sound, self.frames, self.errors = [], {}, numpy.zeros(0, numpy.float32), 0, []
        self.codecs = {}
        self.bin.connect("pad-added", self.incoming)
        self.bin.connect("notify::ice-gathering-state", self.gathered)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", lambda _, m: self.errors.append(str(m.parse_error()[0])))
        if direction == "recvonly":
            self.pipeline.set_state(Gst.State.READY)
            for name in wanted:
                self.bin.emit("add-transceiver", DIRECTIONS[direction], Gst.Caps.from_string(recipes.caps(name)))
            GLib.timeout_add(50, self.negotiate, None)
        else:
            for index in range(len(wanted)):
                self.bin.emit("get-transceiver", index).set_property("direction", DIRECTIONS[direction])
            if offer:
                GLib.timeout_add(50, self.reply, offer)
            else:
                self.bin.connect("on-negotiation-needed", self.negotiate)
        self.pipeline.set_state(Gst.State.PLAYING)
        self.began = False

    def negotiate(self, _):
        if not self.began:
            self.began = True
            self.bin.emit("create-offer", None, Gst.Promise.new_with_change_func(self.offered))
        return False

    def offered(self, promise):
        self.describe(promise, "offer")

    def describe(self, promise, kind):
        reply = promise.get_reply()
        if not reply.has_field(kind):
            self.errors.append(reply.to_string())
            return
        self.bin.emit("set-local-description", reply.get_value(kind), Gst.Promise.new())

    def reply(self, offer):
        self.accept(GstWebRTC.WebRTCSDPType.OFFER, offer, Gst.Promise.new_with_change_func(self.taken))
        return False

    def taken(self, _):
        answered = Gst.Promise.new_with_change_func(lambda promise: self.describe(promise, "answer"))
        self.bin.emit("create-answer", None, answered)

    def accept(self, kind, text, promise):
        _, sdp = GstSdp.SDPMessage.new_from_text(text)
        self.bin.emit("set-remote-description", GstWebRTC.WebRTCSessionDescription.new(kind, sdp), promise)

    def gathered(self, *_):
        if self.bin.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            threading.Thread(target=self.post, daemon=True).start()

    def post(self):
        text = self.bin.get_property("local-description").sdp.as_text()
        if self.url == "-":
            print(json.dumps({"answer": text}), flush=True)
            return
        request = urllib.request.Request(self.url, text.encode(), {"Content-Type": "application/sdp"}, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                text = answer.read().decode()
                self.session = re.match(r"https?://[^/]*", self.url)[0] + answer.headers["Location"]
        except urllib.error.HTTPError as error:
            self.errors.append(f"{error.code} {error.read().decode()}\n{text}")
            return
        self.accept(GstWebRTC.WebRTCSDPType.ANSWER, text, Gst.Promise.new())

    def incoming(self, _, pad):
        if pad.direction != Gst.PadDirection.SRC:
            return
        structure = pad.get_current_caps().get_structure(0)
        self.codecs[f"{structure.get_string('media')}.in"] = structure.get_string("encoding-name")
        decode = Gst.ElementFactory.make("decodebin")
        decode.connect("pad-added", self.decoded)
        self.bin.get_parent().add(decode)
        decode.sync_state_with_parent()
        pad.link(decode.get_static_pad("sink"))

    def decoded(self, _, pad):
        kind = pad.get_current_caps().get_structure(0).get_name()
        if kind.startswith("video"):
            text = ("queue ! videoconvert ! videoscale ! video/x-raw,format=RGB,width=320,height=180 ! "
                    "appsink name=out emit-signals=true sync=false max-buffers=4 drop=true")
        else:
            text = ("queue ! audioconvert ! audioresample ! audio/x-raw,format=F32LE,rate=48000,channels=1 ! "
                    "appsink name=out emit-signals=true sync=false")
        branch = Gst.parse_bin_from_description(text, True)
        branch.get_by_name("out").connect("new-sample", self.video if kind.startswith("video") else self.audio)
        self.bin.get_parent().add(branch)
        branch.sync_state_with_parent()
        pad.link(branch.get_static_pad("sink"))

    def video(self, sink):
        buffer = sink.emit("pull-sample").get_buffer()
        picture = numpy.frombuffer(buffer.extract_dup(0, buffer.get_size()), numpy.uint8)
        seen = mark.read(picture.reshape(180, 320, 3))
        with self.lock:
            self.frames += 1
            self.numbers.append((time.monotonic(), seen.pop("number")))
            self.last = seen
        return Gst.FlowReturn.OK

    def audio(self, sink):
        buffer = sink.emit("pull-sample").get_buffer()
        samples = numpy.frombuffer(buffer.extract_dup(0, buffer.get_size()), numpy.float32)
        with self.lock:
            self.sound = numpy.concatenate([self.sound, samples])[-24000:]
        return Gst.FlowReturn.OK

    def report(self):
        now = time.monotonic()
        with self.lock:
            self.numbers = [entry for entry in self.numbers if entry[0] > now - 3]
            changes = sum(a[1] != b[1] for a, b in zip(self.numbers, self.numbers[1:]))
            said = {"errors": self.errors, "codecs": self.codecs, "state": self.state}
            if self.frames:
                said["video"] = {"frames": self.frames, "distinct": changes, **self.last}
            if len(self.sound):
                said["audio"] = mark.spectrum(self.sound, 48000)
        print(json.dumps(said), flush=True)
        return True

    @property
    def state(self):
        return self.bin.get_property("connection-state").value_nick

    def run(self):
        GLib.timeout_add(500, self.report)
        threading.Thread(target=lambda: (sys.stdin.read(), GLib.idle_add(self.loop.quit)), daemon=True).start()
        self.loop.run()
        if self.session:
            try:
                urllib.request.urlopen(urllib.request.Request(self.session, method="DELETE"), timeout=5)
            except OSError:
                pass
        # No orderly end: it may wait for elements that never began.
        import os
        os._exit(0)


Peer(*sys.argv[1:6]).run()
