"""Pieces of GStreamer pipelines: how each codec is made and offered."""

VPX = "deadline=1 cpu-used=8 keyframe-max-dist=60 target-bitrate=800000"
VIDEO = {
    "VP8": (f"vp8enc {VPX} ! rtpvp8pay picture-id-mode=2", 96),
    "VP9": (f"vp9enc {VPX} ! rtpvp9pay picture-id-mode=2", 98),
    "H264": ("x264enc tune=zerolatency speed-preset=ultrafast key-int-max=60 bitrate=800 ! "
             "video/x-h264,profile=constrained-baseline ! "
             "rtph264pay config-interval=-1 aggregate-mode=zero-latency", 102),
}
AUDIO = {
    "OPUS": ("opusenc ! rtpopuspay", 111, "clock-rate=(int)48000,encoding-params=(string)2"),
    "PCMU": ("audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay", 0, "clock-rate=(int)8000"),
    "PCMA": ("audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay", 8, "clock-rate=(int)8000"),
    "G722": ("audio/x-raw,rate=16000,channels=1 ! avenc_g722 ! rtpg722pay", 9, "clock-rate=(int)8000"),
}


def caps(codec: str) -> str:
    if codec in VIDEO:
        extra = ",packetization-mode=(string)1,profile-level-id=(string)42e01f" if codec == "H264" else ""
        return (f"application/x-rtp,media=video,encoding-name={codec},payload={VIDEO[codec][1]},"
                f"clock-rate=(int)90000{extra}")
    return f"application/x-rtp,media=audio,encoding-name={codec},payload={AUDIO[codec][1]},{AUDIO[codec][2]}"


def send(codec: str, folder: str, number: int | None = None) -> str:
    """The marked pictures, or the tone, as RTP, with that payload type or the codec's own."""
    if codec in VIDEO:
        encoder, payload = VIDEO[codec]
        payload = payload if number is None else number
        return (f"multifilesrc location={folder}/%03d.png index=0 stop-index=255 loop=true "
                "caps=image/png,framerate=(fraction)30/1 ! pngdec ! videoconvert ! video/x-raw,format=I420 ! "
                f"identity sync=true ! queue leaky=downstream max-size-buffers=4 ! {encoder} pt={payload} ! queue ! "
                f"application/x-rtp,media=video,encoding-name={codec},payload={payload}")
    encoder, payload, _ = AUDIO[codec]
    payload = payload if number is None else number
    return (f"audiotestsrc is-live=true freq=440 volume=0.3 ! audioconvert ! audioresample ! {encoder} pt={payload} ! "
            f"queue ! application/x-rtp,media=audio,encoding-name={codec},payload={payload}")
