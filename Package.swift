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
        // 4
        room("Elements", ["Core", "Media", "Codecs", "Mixing", "Files", "RTP", "ICE", "SDP", "Transport", "WebRTC"]),
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
                .embedInCode("Web/whip.js"), .embedInCode("Web/charts.js"),
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
        tests("CoreTests", ["Core", "TestKit"]),
        tests("SDPTests", ["Core", "SDP"], exclude: ["Fixtures"]),
        tests("RTPTests", ["Core", "RTP", "TestKit"]),
        tests("TransportTests", ["Core", "Transport", "COpenSSL", "CLibraryClock", "TestKit"]),
        tests("ICETests", ["Core", "ICE"]),
        tests("MediaTests", ["Core", "Media", "Elements", "TestKit"]),
        tests("CodecsTests", ["Core", "Media", "Codecs", "CFFmpeg", "TestKit"]),
        tests("MixingTests", ["Core", "Media", "Mixing", "TestKit", "CScale"], exclude: ["Goldens"]),
        tests("FilesTests", ["Core", "Media", "Files", "TestKit"]),
        tests(
            "ElementsTests",
            [
                "Core", "Media", "Codecs", "Mixing", "Files", "SDP", "Transport", "RTP", "WebRTC", "Elements",
                "Reactor", "TestKit",
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
        tests("SimulationTests", ["Core", "Simulation"]),
        // Fuzzing: what is done with the bytes, and the kept inputs as tests (Tests/Fuzz/README.md).
        .target(
            name: "FuzzTargets", dependencies: ["Core", "RTP", "ICE", "SDP", "Transport", "Codecs", "Control"],
            path: "Tests/Fuzz/Targets",
            swiftSettings: settings),
        .testTarget(
            name: "FuzzTests", dependencies: ["Core", "FuzzTargets"], path: "Tests/Fuzz/Replay",
            swiftSettings: settings),
    ] + fuzzShell,
    swiftLanguageModes: [.v6]
)
