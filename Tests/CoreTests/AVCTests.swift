import Core
import Testing

@Suite struct AVCTests {
    private let sps: [UInt8] = [0x67, 0x64, 0x00, 0x1F, 0xAC]
    private let pps: [UInt8] = [0x68, 0xEE, 0x3C, 0x80]
    private let slice: [UInt8] = [0x65, 1, 2, 3, 0, 0, 3, 1]

    private func lengthPrefixed(_ bytes: [UInt8]) -> [UInt8] {
        bytes.withUnsafeBytes { AVC.lengthPrefixed(annexB: $0) }.bytes
    }
    private func configuration(_ bytes: [UInt8]) -> [UInt8]? { bytes.withUnsafeBytes { AVC.configuration(annexB: $0) } }

    @Test func startCodesOfBothLengthsAndTrailingZeros() {
        let stream: [UInt8] = [0, 0, 0, 1] + sps + [0, 0, 1] + pps + [0, 0, 0, 0, 1] + slice + [0, 0]
        #expect(
            lengthPrefixed(stream) == [0, 0, 0, 5] + sps + [0, 0, 0, 4] + pps + [0, 0, 0, 8] + slice)
        #expect(stream.withUnsafeBytes { AVC.isAnnexB($0) })
        #expect(!([0, 0, 0, 5, 1] as [UInt8]).withUnsafeBytes { AVC.isAnnexB($0) })
    }

    @Test func parameterSetsThereAndBack() throws {
        let box = try #require(configuration([0, 0, 0, 1] + sps + [0, 0, 1] + pps + [0, 0, 1] + slice))
        #expect(box == [1, 0x64, 0, 0x1F, 0xFF, 0xE1, 0, 5] + sps + [1, 0, 4] + pps + [0xFD, 0xF8, 0xF8, 0])
        #expect(AVC.parameterSets(configuration: box) == [0, 0, 0, 5] + sps + [0, 0, 0, 4] + pps)
        #expect(configuration([0, 0, 1] + sps) == nil, "one kind is missing")
    }

    @Test func truncatedBoxesAreRefused() throws {
        let box = try #require(configuration([0, 0, 0, 1] + sps + [0, 0, 1] + pps))
        let sets = 6 + 2 + sps.count + 1 + 2 + pps.count
        for count in 0..<sets { #expect(AVC.parameterSets(configuration: Array(box.prefix(count))) == nil) }
        #expect(AVC.parameterSets(configuration: [2] + box.dropFirst()) == nil, "another version")
    }

    /// Bytes from anywhere: no trap, and what comes out is made of what went in.
    @Test(arguments: 0..<200)
    func hostileBytes(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let bytes = (0..<Int.random(in: 0..<300, using: &random)).map { _ -> UInt8 in
            // Many zeros and ones, so that start codes are frequent.
            Int.random(in: 0..<3, using: &random) == 0
                ? UInt8.random(in: 0...255, using: &random)
                : UInt8.random(in: 0...1, using: &random)
        }
        let units = bytes.withUnsafeBytes { AVC.splitAnnexB($0) }
        for (index, unit) in units.enumerated() {
            #expect(!unit.isEmpty && bytes[unit.upperBound - 1] != 0)
            #expect(bytes[(unit.lowerBound - 3)..<unit.lowerBound] == [0, 0, 1])
            if index > 0 { #expect(units[index - 1].upperBound <= unit.lowerBound - 3) }
        }
        #expect(lengthPrefixed(bytes).count == units.reduce(0) { $0 + 4 + $1.count })
        if let box = configuration(bytes) { #expect(AVC.parameterSets(configuration: box) != nil) }
        _ = AVC.parameterSets(configuration: [1] + bytes)
    }
}
