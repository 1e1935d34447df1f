import Core

/// A parser under fuzzing: its name, which is also that of its corpus, and what is done with the bytes. A body traps on
/// what must not be: a parser may refuse bytes, but what it takes must survive being written and read again.
package struct FuzzTarget: Sendable, CustomStringConvertible {
    package let name: String
    /// Longest input in bytes: about what a peer can send at once.
    package let sizeMax: Int
    /// A bug is planted in it: the fuzzer must find it, and tests must not run it.
    package let isCanary: Bool
    package let run: @Sendable (RawSpan) -> Void

    package init(
        _ name: String, sizeMax: Int = 1500, isCanary: Bool = false, _ run: @escaping @Sendable (RawSpan) -> Void
    ) {
        self.name = name
        self.sizeMax = sizeMax
        self.isCanary = isCanary
        self.run = run
    }

    package var description: String { name }

    /// Every target there is. A new one needs a line here and a folder with at least one input in `Tests/Fuzz/Corpus`.
    package static let all: [FuzzTarget] =
        [canary] + core + rtp + receive + connection + files + control + [rpc]

    package static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }

    /// Traps on four bytes that chance would take hours to hit: if this is not found, nothing else will be.
    private static let canary = FuzzTarget("canary", sizeMax: 64, isCanary: true) { bytes in
        var reader = ByteReader(bytes)
        guard let word = try? reader.u32() else { return }
        precondition(word != 0x6269_7264, "the canary sings")
    }
}
