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
        room("Codecs", ["Core", "Media", "CFFmpeg", "COpus", "CVpx", "CYUV"]),
        room("Mixing", ["Core", "Media", "CYUV", "CScale"]),
        room("Files", ["Core", "Media", "CFFmpeg"]),
        // 4
        room("Elements", ["Core", "Media", "Codecs", "Mixing", "Files", "RTP", "ICE", "SDP", "Transport"]),
        // 5
        room("Control", ["Core", "Media", "Mixing", "Files", "Elements"]),
        room("Reactor", ["Core", "CLinux", "CWebSockets"]),
        // 6
        .executableTarget(
            name: "tessera",
            dependencies: ["Core", "Media", "Codecs", "Mixing", "Files", "Elements", "Control", "Reactor", "CLinux"],
            exclude: ["README.md"], swiftSettings: settings),
        // T
        room(
            "TestKit",
            [
                "Core", "RTP", "ICE", "SDP", "Transport", "Media", "Codecs", "Mixing", "Files", "Elements",
                "Control",
            ]),
        .executableTarget(
            name: "bench-mixing", dependencies: ["Core", "Media", "Mixing"], path: "Benchmarks/Mixing",
            swiftSettings: settings),
        .executableTarget(
            name: "bench-floor", dependencies: ["CFFmpeg", "COpus", "CVpx", "CYUV"], path: "Benchmarks/Floor",
            swiftSettings: settings),
        tests("CoreTests", ["Core", "TestKit"]),
        tests("RTPTests", ["Core", "RTP", "TestKit"]),
        tests("MediaTests", ["Core", "Media", "Elements", "TestKit"]),
        tests("CodecsTests", ["Core", "Media", "Codecs", "CFFmpeg", "TestKit"]),
        tests("MixingTests", ["Core", "Media", "Mixing", "TestKit", "CScale"], exclude: ["Goldens"]),
        tests("FilesTests", ["Core", "Media", "Files", "TestKit"]),
        tests("ElementsTests", ["Core", "Media", "Codecs", "Mixing", "Files", "Elements", "Reactor", "TestKit"]),
        tests("ControlTests", ["Core", "Media", "Elements", "Control", "TestKit"]),
        tests("ReactorTests", ["Core", "Media", "Codecs", "Elements", "Files", "Reactor", "TestKit"]),
        tests("TidyTests", []),
    ],
    swiftLanguageModes: [.v6]
)
