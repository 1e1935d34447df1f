// swift-tools-version: 6.2
// The rooms of the house, top to bottom: each target imports only targets above it (ARCHITECTURE.md).
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    // Spans that are returned or kept say whose memory they look at.
    .enableExperimentalFeature("Lifetimes"),
    .treatAllWarnings(as: .error),
]

func room(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, exclude: ["README.md"], swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

// libFuzzer brings its own `main`, so its program links only with its sanitizer: script/fuzz sets FUZZ.
let fuzzShell: [Target] =
    Context.environment["FUZZ"] == nil
    ? []
    : [
        .executableTarget(
            name: "fuzz", dependencies: ["Core", "FuzzTargets"], path: "Tests/Fuzz/Shell",
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])])
    ]

let package = Package(
    name: "tessera",
    products: [.executable(name: "tessera", targets: ["tessera"])],
    targets: [
        // 0: module maps and shims
        .target(name: "CLinux", path: "Sources/C/CLinux"),
        .systemLibrary(name: "CFFmpeg", path: "Sources/C/CFFmpeg", pkgConfig: "libavformat"),
        .systemLibrary(name: "COpus", path: "Sources/C/COpus", pkgConfig: "opus"),
        .systemLibrary(name: "CVpx", path: "Sources/C/CVpx", pkgConfig: "vpx"),
        .systemLibrary(name: "CYUV", path: "Sources/C/CYUV"),
        .target(name: "CScale", path: "Sources/C/CScale"),
        .systemLibrary(name: "COpenSSL", path: "Sources/C/COpenSSL", pkgConfig: "openssl"),
        .systemLibrary(name: "CSRTP", path: "Sources/C/CSRTP", pkgConfig: "libsrtp2"),
        .systemLibrary(name: "CSCTP", path: "Sources/C/CSCTP"),
        .systemLibrary(name: "CWebSockets", path: "Sources/C/CWebSockets", pkgConfig: "libwebsockets"),
        // Their .pc files carry a flag that packages may not set, so the folders of the headers are named here.
        .target(
            name: "CPango", path: "Sources/C/CPango",
            cSettings: [
                .unsafeFlags(
                    [
                        "include/pango-1.0", "include/glib-2.0", "lib/x86_64-linux-gnu/glib-2.0/include",
                        "lib/aarch64-linux-gnu/glib-2.0/include", "include/harfbuzz", "include/cairo",
                    ].flatMap { ["-isystem", "/usr/\($0)"] })
            ],
            linkerSettings: ["pangocairo-1.0", "pango-1.0", "cairo", "gobject-2.0"].map { .linkedLibrary($0) }),
        .systemLibrary(name: "CZBar", path: "Sources/C/CZBar", pkgConfig: "zbar"),
        // OpenCV's own .pc names every module there is; three are enough.
        .target(
            name: "COpenCV", path: "Sources/C/COpenCV",
            cxxSettings: [.unsafeFlags(["-isystem", "/usr/include/opencv4"])],
            linkerSettings: ["opencv_objdetect", "opencv_imgproc", "opencv_core"].map { .linkedLibrary($0) }),
        // 1
        room("Core", []),
        // 2
        room("RTP", ["Core"]),
        room("ICE", ["Core"]),
        room("SDP", ["Core"]),
        room("Transport", ["Core", "COpenSSL", "CSRTP", "CSCTP"]),
        room("Media", ["Core"]),
        // 3
        room("WebRTC", ["Core", "RTP", "ICE", "SDP", "Transport"]),
        room("Codecs", ["Core", "Media", "CFFmpeg", "COpus", "CVpx", "CYUV"]),
        room("Mixing", ["Core", "Media", "CYUV", "CScale"]),
        room("Files", ["Core", "Media", "CFFmpeg"]),
        room("Graphics", ["Core", "Media", "CFFmpeg", "CPango"]),
        room("Vision", ["Core", "Media", "COpenCV", "CZBar"]),
        // 4
        room(
            "Elements",
            [
                "Core", "Media", "Codecs", "Mixing", "Files", "Graphics", "Vision", "RTP", "ICE", "SDP", "Transport",
                "WebRTC",
            ]),
        // 5
        room("Control", ["Core", "Media", "Mixing", "Files", "Elements"]),
        room("Reactor", ["Core", "CLinux", "CWebSockets"]),
        // 6
        .executableTarget(
            name: "tessera",
            dependencies: [
                "Core", "ICE", "Media", "Codecs", "Mixing", "Files", "Elements", "Control", "Reactor", "CLinux",
            ],
            exclude: ["README.md"],
            resources: [
                .embedInCode("Web/index.html"), .embedInCode("Web/page.css"), .embedInCode("Web/page.js"),
                .embedInCode("Web/whip.js"), .embedInCode("Web/charts.js"), .embedInCode("Web/inspect.html"),
                .embedInCode("Web/inspect.css"), .embedInCode("Web/inspect.js"), .embedInCode("Web/graph.js"),
            ],
            swiftSettings: settings),
        // T
        room(
            "TestKit",
            [
                "Core", "RTP", "ICE", "SDP", "Transport", "Media", "WebRTC", "Codecs", "Mixing", "Files", "Elements",
                "Control",
            ]),
        // Answers gettimeofday for OpenSSL and usrsctp in virtual time; linked into tests only.
        .target(name: "CLibraryClock", path: "Tests/CLibraryClock"),
        .executableTarget(
            name: "bench-mixing", dependencies: ["Core", "Media", "Mixing"], path: "Benchmarks/Mixing",
            swiftSettings: settings),
        // Counts calls of malloc in the programs that link it.
        .target(name: "CAllocations", path: "Benchmarks/CAllocations"),
        .executableTarget(
            name: "bench-receiving", dependencies: ["Core", "RTP", "CAllocations"], path: "Benchmarks/Receiving",
            swiftSettings: settings),
        .executableTarget(
            name: "bench-sound", dependencies: ["Core", "Media", "Codecs", "TestKit", "COpus"],
            path: "Benchmarks/Sound", swiftSettings: settings),
        .executableTarget(
            name: "bench-network", dependencies: ["Core", "Reactor", "CAllocations"], path: "Benchmarks/Network",
            swiftSettings: settings),
        .executableTarget(
            name: "bench-floor", dependencies: ["CFFmpeg", "COpus", "CVpx", "CYUV"], path: "Benchmarks/Floor",
            swiftSettings: settings),
        .executableTarget(
            name: "bench-sending", dependencies: ["Core", "RTP", "TestKit", "CAllocations"], path: "Benchmarks/Sending",
            swiftSettings: settings),
        // Two servers of one process call each other over real sockets, and are flooded.
        .target(
            name: "LoopbackRig", dependencies: ["Core", "Media", "WebRTC", "Elements", "Reactor", "TestKit", "CLinux"],
            path: "Tests/LoopbackRig", swiftSettings: settings),
        .executableTarget(
            name: "bench-endpoints",
            dependencies: [
                "Core", "RTP", "Media", "Transport", "WebRTC", "Elements", "Reactor", "LoopbackRig", "CAllocations",
            ], path: "Benchmarks/Endpoints", swiftSettings: settings),
        tests("CoreTests", ["Core", "TestKit"]),
        tests("SDPTests", ["Core", "SDP"], exclude: ["Fixtures"]),
        tests("RTPTests", ["Core", "RTP", "TestKit"]),
        tests(
            "TransportTests",
            [
                "Core", "RTP", "ICE", "SDP", "Transport", "WebRTC", "COpenSSL", "CLibraryClock", "TestKit",
            ]),
        tests("ICETests", ["Core", "ICE"]),
        tests("MediaTests", ["Core", "Media", "Elements", "TestKit"]),
        tests("CodecsTests", ["Core", "Media", "Codecs", "CFFmpeg", "TestKit"]),
        tests("MixingTests", ["Core", "Media", "Mixing", "TestKit", "CScale"], exclude: ["Goldens"]),
        tests("FilesTests", ["Core", "Media", "Files", "TestKit"]),
        tests("GraphicsTests", ["Core", "Media", "Graphics", "TestKit"]),
        tests(
            "ElementsTests",
            [
                "Core", "Media", "Codecs", "Mixing", "Files", "Graphics", "Vision", "SDP", "Transport", "RTP", "ICE",
                "WebRTC", "Elements", "Reactor", "TestKit", "LoopbackRig",
            ]),
        tests("ControlTests", ["Core", "Media", "Elements", "Control", "TestKit"]),
        tests("ReactorTests", ["Core", "Media", "Codecs", "Elements", "Files", "Reactor", "TestKit"]),
        tests("TidyTests", []),
        // Two whole peers over bad networks in virtual time (docs/robustness.md).
        .target(
            name: "Simulation",
            dependencies: [
                "Core", "RTP", "Transport", "Media", "WebRTC", "Codecs", "Elements", "TestKit", "CLibraryClock",
            ],
            path: "Tests/Simulation/Rig", swiftSettings: settings),
        .executableTarget(
            name: "simulate", dependencies: ["Core", "Simulation"], path: "Tests/Simulation/Shell",
            swiftSettings: settings),
        // One of these networks between real peers.
        .executableTarget(
            name: "relay", dependencies: ["Core", "Reactor", "Simulation", "TestKit"], path: "Tests/Simulation/Relay",
            swiftSettings: settings),
        tests("SimulationTests", ["Core", "Simulation"]),
        // Fuzzing: what is done with the bytes, and the kept inputs as tests (Tests/Fuzz/README.md).
        .target(
            name: "FuzzTargets",
            dependencies: [
                "Core", "RTP", "ICE", "SDP", "Transport", "Codecs", "Media", "Files", "Elements", "Control", "TestKit",
            ],
            path: "Tests/Fuzz/Targets",
            swiftSettings: settings),
        .testTarget(
            name: "FuzzTests", dependencies: ["Core", "FuzzTargets"], path: "Tests/Fuzz/Replay",
            swiftSettings: settings),
    ] + fuzzShell,
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
