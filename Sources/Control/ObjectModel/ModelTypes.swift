/// The enumerations and structures that the descriptions of classes use. Names and words are Kurento's where the
/// module is Kurento's; they are the protocol.
enum ModelTypes {
    static let mediaType = EnumDescription(name: "MediaType", module: .core, values: ["AUDIO", "DATA", "VIDEO"])
    static let dotDetails = EnumDescription(
        name: "GstreamerDotDetails", module: .core,
        values: [
            "SHOW_MEDIA_TYPE", "SHOW_CAPS_DETAILS", "SHOW_NON_DEFAULT_PARAMS", "SHOW_STATES", "SHOW_FULL_PARAMS",
            "SHOW_ALL", "SHOW_VERBOSE",
        ])
    static let uriEndpointState = EnumDescription(
        name: "UriEndpointState", module: .core, values: ["STOP", "START", "PAUSE"])
    static let flowState = EnumDescription(name: "MediaFlowState", module: .core, values: ["FLOWING", "NOT_FLOWING"])
    static let transcodingState = EnumDescription(
        name: "MediaTranscodingState", module: .core, values: ["TRANSCODING", "NOT_TRANSCODING"])
    static let videoCodec = EnumDescription(
        name: "VideoCodec", module: .core, values: ["H265", "AV1", "VP9", "VP8", "H264", "RAW"])
    static let audioCodec = EnumDescription(
        name: "AudioCodec", module: .core, values: ["OPUS", "PCMU", "PCMA", "RAW"])
    static let statsType = EnumDescription(
        name: "StatsType", module: .core,
        values: [
            "inboundrtp", "outboundrtp", "session", "datachannel", "track", "transport", "candidatepair",
            "localcandidate", "remotecandidate", "element", "endpoint",
        ])
    static let mediaProfile = EnumDescription(
        name: "MediaProfileSpecType", module: .elements,
        values: [
            "WEBM", "MKV", "MP4", "WEBM_VIDEO_ONLY", "WEBM_AUDIO_ONLY", "MKV_VIDEO_ONLY", "MKV_AUDIO_ONLY",
            "MP4_VIDEO_ONLY", "MP4_AUDIO_ONLY", "JPEG_VIDEO_ONLY", "FLV",
        ],
        unsupported: ["KURENTO_SPLIT_RECORDER"])

    static let filterType = EnumDescription(
        name: "FilterType", module: .core, values: ["AUDIO", "AUTODETECT", "VIDEO"])
    static let fit = EnumDescription(name: "FitMode", module: .tessera, values: ["cover", "contain", "stretch"])
    static let layout = EnumDescription(
        name: "CompositeLayout", module: .tessera,
        values: ["grid", "balanced", "speaker", "sideBySide", "pictureInPicture", "full"])
    static let recordedVideo = EnumDescription(
        name: "RecordedVideoCodec", module: .tessera, values: ["vp8", "vp9", "h264"])
    static let recordedAudio = EnumDescription(name: "RecordedAudioCodec", module: .tessera, values: ["opus", "aac"])

    static let fraction = StructureDescription(
        name: "Fraction", module: .core,
        members: [
            .init("numerator", .int32, "Upper part."), .init("denominator", .int32, "Lower part."),
        ], doc: "A ratio of two whole numbers.")
    static let audioCaps = StructureDescription(
        name: "AudioCaps", module: .core,
        members: [
            .init("codec", .enumeration(audioCodec), "Codec."), .init("bitrate", .int32, "Bits per second."),
        ], doc: "A wished-for audio format.")
    static let videoCaps = StructureDescription(
        name: "VideoCaps", module: .core,
        members: [
            .init("codec", .enumeration(videoCodec), "Codec."),
            .init("framerate", .structure(fraction), "Frames per second."),
        ], doc: "A wished-for video format.")
    static let tag = StructureDescription(
        name: "Tag", module: .core, members: [.init("key", .text, "Name."), .init("value", .text, "Text.")],
        doc: "A note that a client has put on an object.")
    static let connection = StructureDescription(
        name: "ElementConnectionData", module: .core,
        members: [
            .init("source", .object("MediaElement"), "Where the media comes from."),
            .init("sink", .object("MediaElement"), "Where it goes."),
            .init("type", .enumeration(mediaType), "Which media."),
            .init("sourceDescription", .text, "Name of the source's pad: default."),
            .init("sinkDescription", .text, "Name of the sink's pad: default."),
        ], doc: "One link of one kind of media.")
    static let stats = StructureDescription(
        name: "Stats", module: .core,
        members: [
            .init("id", .text, "Key of this entry."), .init("type", .enumeration(statsType), "What is counted."),
            .init("timestampMillis", .int64, "Milliseconds since the epoch."),
        ], doc: "Figures of one object at one time; further members by type.")
    static let videoInfo = StructureDescription(
        name: "VideoInfo", module: .elements,
        members: [
            .init("isSeekable", .boolean, "Whether the position can be set."),
            .init("seekableInit", .int64, "Earliest position, in milliseconds."),
            .init("seekableEnd", .int64, "Latest position, in milliseconds."),
            .init("duration", .int64, "Length, in milliseconds."),
        ], doc: "What is known of the media being played.")
    static let region = StructureDescription(
        name: "Region", module: .tessera,
        members: [
            .init("x", .float(0...1), "Left edge."), .init("y", .float(0...1), "Top edge."),
            .init("width", .float(0...1), "Width."), .init("height", .float(0...1), "Height."),
        ], doc: "A rectangle in fractions of the canvas, from its top left corner.", rule: .insideUnitSquare)
}
