package import Core

/// What a run came to, element by element; made once, at the end.
package struct RunSummary: Hashable, Sendable {
    /// In the order of the plan.
    package var elements: [Element]
    /// Media time that was made.
    package var mediaTime: MediaTime
    /// Real time from start to end.
    package var wallTime: MediaTime
    /// Processor time of the whole process, all threads together, in seconds.
    package var cpuSeconds: Double
    /// Largest resident memory of the process, in bytes; 0 where not known.
    package var peakMemoryBytes: Int
    /// What was written.
    package var outputs: [Output]
    /// Whether another run of the same document gives the same bytes: an offline run in which no source was declared
    /// stalled.
    package var isReproducible: Bool
    /// Each trouble once, in one sentence that names the element.
    package var troubles: [String]

    package init(
        elements: [Element], mediaTime: MediaTime, wallTime: MediaTime, cpuSeconds: Double, peakMemoryBytes: Int = 0,
        outputs: [Output] = [], isReproducible: Bool = true, troubles: [String] = []
    ) {
        self.elements = elements
        self.mediaTime = mediaTime
        self.wallTime = wallTime
        self.cpuSeconds = cpuSeconds
        self.peakMemoryBytes = peakMemoryBytes
        self.outputs = outputs
        self.isReproducible = isReproducible
        self.troubles = troubles
    }

    /// A file that was written.
    package struct Output: Hashable, Sendable {
        package var uri: String
        package var bytes: Int
        /// Media time in it.
        package var duration: MediaTime
        /// Whether it was closed properly; a broken-off one plays, but has no seek index.
        package var isComplete: Bool

        package init(uri: String, bytes: Int, duration: MediaTime, isComplete: Bool = true) {
            self.uri = uri
            self.bytes = bytes
            self.duration = duration
            self.isComplete = isComplete
        }
    }

    /// What one element did.
    package struct Element: Hashable, Sendable {
        package var name: String
        package var className: String
        /// Pictures and blocks of sound that came in over links, and that went out over them.
        package var framesIn: Int
        package var framesOut: Int
        package var stages: [Stage]

        package init(name: String, className: String, framesIn: Int, framesOut: Int, stages: [Stage] = []) {
            self.name = name
            self.className = className
            self.framesIn = framesIn
            self.framesOut = framesOut
            self.stages = stages
        }
    }

    /// One worker of an element: a decoder, an encoder, the composition, …
    package struct Stage: Hashable, Sendable {
        package enum Kind: String, Hashable, Sendable, CaseIterable {
            case demux, decode, filter, compose, mix, encode, mux
        }

        package var kind: Kind
        /// What tells it from its neighbours, such as `1280×720 1500 kbps`; may be empty.
        package var name: String
        /// `vp8`, `opus`, …; nil where there is none.
        package var codec: String?
        /// Frames it has dealt with.
        package var frames: Int
        /// Frames it has thrown away, by reason.
        package var drops: [Drop]
        /// Processor time in its work, in seconds.
        package var cpuSeconds: Double
        /// Most sinks at one time that got its result; 1 is not shared.
        package var sharedBy: Int

        package init(
            _ kind: Kind, name: String = "", codec: String? = nil, frames: Int, drops: [Drop] = [],
            cpuSeconds: Double, sharedBy: Int = 1
        ) {
            self.kind = kind
            self.name = name
            self.codec = codec
            self.frames = frames
            self.drops = drops
            self.cpuSeconds = cpuSeconds
            self.sharedBy = sharedBy
        }
    }

    /// Frames thrown away for one reason, in the words of the queue's policy: `late`, `queue full`, `broken`.
    package struct Drop: Hashable, Sendable {
        package var reason: String
        package var count: Int

        package init(_ reason: String, _ count: Int) {
            self.reason = reason
            self.count = count
        }
    }

    /// Frames dropped, everywhere and for every reason.
    package var dropped: Int { elements.flatMap(\.stages).flatMap(\.drops).reduce(0) { $0 + $1.count } }

    /// How many stages of a kind handle a kind of media: `stages(.encode, codecs: ["vp8", "vp9", "h264"])`.
    package func stages(_ kind: Stage.Kind, codecs: [String]) -> Int {
        elements.flatMap(\.stages).filter { $0.kind == kind && codecs.contains($0.codec ?? "") }.count
    }

    /// One line of `--json` output.
    package var json: JSON {
        [
            "type": "summary",
            "mediaTime": .seconds(mediaTime),
            "wallTime": .seconds(wallTime),
            "cpuSeconds": .double(rounded(cpuSeconds, 1e6)),
            "peakMemoryBytes": .int(peakMemoryBytes),
            "reproducible": .bool(isReproducible),
            "dropped": .int(dropped),
            "outputs": .array(
                outputs.map { output in
                    [
                        "uri": .string(output.uri), "bytes": .int(output.bytes), "duration": .seconds(output.duration),
                        "complete": .bool(output.isComplete),
                    ]
                }),
            "elements": .array(
                elements.map { element in
                    [
                        "name": .string(element.name), "class": .string(element.className),
                        "framesIn": .int(element.framesIn), "framesOut": .int(element.framesOut),
                        "stages": .array(element.stages.map(\.json)),
                    ]
                }),
            "troubles": .array(troubles.map { .string($0) }),
        ]
    }
}

extension RunSummary.Stage {
    /// As a member of the summary's line.
    fileprivate var json: JSON {
        [
            "kind": .string(kind.rawValue), "name": .string(name), "codec": codec.map { .string($0) } ?? nil,
            "frames": .int(frames), "cpuSeconds": .double(rounded(cpuSeconds, 1e6)), "sharedBy": .int(sharedBy),
            "drops": .object(drops.map { JSON.Member($0.reason, .int($0.count)) }),
        ]
    }
}
