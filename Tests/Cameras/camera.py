#!/usr/bin/env python3
"""An RTSP camera for tests: a test picture and a tone, live, from gst-rtsp-server.

    camera.py PORT [--video h264|h265] [--audio aac|pcma|opus|none] [--user NAME --password WORD] [--rate FPS]

Serves rtsp://127.0.0.1:PORT/cam; prints "ready" when it does. Every key frame repeats its parameter sets.
"""
import argparse

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

VIDEO = {
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast bitrate=400 key-int-max={key}"
    " ! video/x-h264,profile=baseline ! rtph264pay config-interval=-1 name=pay0 pt=96",
    "h265": "x265enc tune=zerolatency speed-preset=ultrafast bitrate=400 key-int-max={key}"
    " ! h265parse ! rtph265pay config-interval=-1 name=pay0 pt=96",
}
AUDIO = {
    "aac": "audio/x-raw,rate=48000,channels=2 ! avenc_aac ! aacparse ! rtpmp4gpay name=pay1 pt=97",
    "pcma": "audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8",
    "opus": "audio/x-raw,rate=48000,channels=2 ! opusenc ! rtpopuspay name=pay1 pt=97",
}


def pipeline(arguments):
    parts = [
        f"videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate={arguments.rate}/1"
        f" ! {VIDEO[arguments.video].format(key=arguments.rate)}"
    ]
    if arguments.audio != "none":
        parts.append(
            "audiotestsrc is-live=true freq=440 ! audioconvert ! audioresample ! " + AUDIO[arguments.audio]
        )
    return "( " + " ".join(parts) + " )"


def protect(server, factory, arguments):
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "viewer")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(arguments.user, arguments.password), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS, True)
    permissions.add_permission_for_role("viewer", GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, True)
    factory.set_permissions(permissions)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("--video", choices=sorted(VIDEO), default="h264")
    parser.add_argument("--audio", choices=[*sorted(AUDIO), "none"], default="aac")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--rate", type=int, default=25)
    arguments = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(arguments.port))
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(pipeline(arguments))
    factory.set_shared(True)
    factory.set_protocols(GstRtsp.RTSPLowerTrans.UDP | GstRtsp.RTSPLowerTrans.TCP)
    if arguments.user:
        protect(server, factory, arguments)
    server.get_mount_points().add_factory("/cam", factory)
    if server.attach(None) == 0:
        raise SystemExit(f"port {arguments.port} cannot be listened on")
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
