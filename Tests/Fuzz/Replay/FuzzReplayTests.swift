import Core
import Foundation
import FuzzTargets
import Testing

/// What fuzzing has found stays found: kept inputs run as unit tests, as they are and damaged.
struct FuzzReplayTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    static let targets = FuzzTarget.all.filter { !$0.isCanary }

    private func inputs(_ kind: String, _ target: String) throws -> [[UInt8]] {
        let folder = Self.folder.appending(path: kind).appending(path: target)
        guard FileManager.default.fileExists(atPath: folder.path) else { return [] }
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        return try files.sorted { $0.path < $1.path }.map { [UInt8](try Data(contentsOf: $0)) }
    }

    @Test("Inputs that once crashed a parser no longer do", arguments: targets)
    func crashes(_ target: FuzzTarget) throws {
        for input in try inputs("Crashes", target.name) { target.run(input.span.bytes) }
    }

    @Test("Kept inputs, their beginnings and versions with bits flipped do no harm", arguments: targets)
    func corpus(_ target: FuzzTarget) throws {
        let inputs = try inputs("Corpus", target.name)
        #expect(!inputs.isEmpty, "put at least one input into Tests/Fuzz/Corpus/\(target.name)")
        var random = SeededRandom(seed: 1)
        for input in inputs {
            target.run(input.span.bytes)
            for _ in 0..<20 {
                var damaged = Array(input.prefix(Int.random(in: 0...input.count, using: &random)))
                target.run(damaged.span.bytes)
                damaged = input
                for _ in 0..<Int.random(in: 1...4, using: &random) where !damaged.isEmpty {
                    damaged[Int.random(in: damaged.indices, using: &random)] ^=
                        1 << UInt8.random(in: 0...7, using: &random)
                }
                target.run(damaged.span.bytes)
            }
        }
    }

    @Test func everyFolderHasItsTarget() throws {
        for kind in ["Corpus", "Crashes"] {
            let folder = Self.folder.appending(path: kind)
            // As long as nothing has crashed there is no such folder.
            guard FileManager.default.fileExists(atPath: folder.path) else { continue }
            let names = try FileManager.default.contentsOfDirectory(
                at: folder, includingPropertiesForKeys: [.isDirectoryKey])
            for name in names where (try? name.resourceValues(forKeys: [.isDirectoryKey]))?.isDirectory == true {
                #expect(
                    FuzzTarget.named(name.lastPathComponent) != nil, "\(kind)/\(name.lastPathComponent) has no target")
            }
        }
    }

    @Test func namesAreDistinct() { #expect(Set(FuzzTarget.all.map(\.name)).count == FuzzTarget.all.count) }

    @Test func theCanaryTraps() async {
        await #expect(processExitsWith: .failure) {
            let song = [UInt8]("bird".utf8)
            FuzzTarget.named("canary")?.run(song.span.bytes)
        }
    }
}
