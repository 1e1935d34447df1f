import CLinux
import Core
import Testing

@testable import Reactor

/// The program as the kernel would run it; that the kernel does is in `ReservedPathsTests`.
struct SteeringProgramTests {
    private static let counts = [0, 1, 8, 9, 100, ReservedPaths.pathsMax]

    @Test("Peers are told from strangers", arguments: counts, [true, false])
    func tells(_ count: Int, _ isV4: Bool) {
        var random = SeededRandom(seed: UInt64(count))
        let key = SteeringProgram.Key(&random)
        let peers = (0..<count).map { _ in address(isV4, &random) }
        let program = SteeringProgram(peers, isV4: isV4, key: key)
        for peer in peers { #expect(run(program, peer) == 1) }
        var taken = 0
        for _ in 0..<2000 { taken += run(program, address(isV4, &random)) }
        // By chance one in two million.
        #expect(taken == 0)
        for peer in peers.prefix(20) {
            #expect(run(program, SocketAddress(peer.ip, peer.port ^ 1)) == 0)
            #expect(run(program, SocketAddress(IPAddress(peer.ip.high, peer.ip.low ^ 256), peer.port)) == 0)
        }
    }

    /// 20 KiB are what older systems give; what they make of an instruction has 8 bytes, and a jump and an end take two.
    @Test func theLargestFits() {
        var random = SeededRandom(seed: 7)
        let key = SteeringProgram.Key(&random)
        let peers = (0..<ReservedPaths.pathsMax).map { _ in address(false, &random) }
        let program = SteeringProgram(peers, isV4: false, key: key)
        let ends = program.instructions.count { $0.code == 0x06 || $0.code == 0x35 }
        #expect(program.instructions.count < 4096 && (program.instructions.count + ends) * 8 < 20_000)
    }

    @Test func theOtherFamilyIsNotForIt() {
        var random = SeededRandom(seed: 8)
        let key = SteeringProgram.Key(&random)
        let other = address(false, &random)
        let none = SteeringProgram([], isV4: true, key: key).instructions.count
        #expect(SteeringProgram([other], isV4: true, key: key).instructions.count == none)
    }

    private func address(_ isV4: Bool, _ random: inout SeededRandom) -> SocketAddress {
        let port = UInt16(truncatingIfNeeded: random.next() as UInt64)
        guard !isV4 else { return SocketAddress(IPAddress(v4: random.next()), port) }
        return SocketAddress(IPAddress(0x2001_0DB8 << 32 | random.next() >> 32, random.next()), port)
    }

    /// The kernel's machine, as far as it is used: a packet from `source` is seen from its IP header on.
    private func run(_ program: SteeringProgram, _ source: SocketAddress) -> Int {
        let isV4 = source.ip.isV4
        var packet = [UInt8](repeating: 0, count: isV4 ? 28 : 48)
        packet.replaceSubrange((isV4 ? 12..<16 : 8..<24), with: source.ip.bytes)
        packet.replaceSubrange((isV4 ? 20..<22 : 40..<42), with: [UInt8(source.port >> 8), UInt8(source.port & 0xFF)])
        var (accumulator, index, memory, place) = (UInt32(0), UInt32(0), UInt32(0), 0)
        let load = { (value: UInt32, count: Int) in
            let start = Int(Int32(bitPattern: value)) + 0x100000
            return packet[start..<(start + count)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        }
        while program.instructions.indices.contains(place) {
            let step = program.instructions[place]
            place += 1
            switch step.code {
            case 0x00: accumulator = step.value
            case 0x20: accumulator = load(step.value, 4)
            case 0x28: accumulator = load(step.value, 2)
            case 0x61: index = memory
            case 0x02: memory = accumulator
            case 0xAC: accumulator ^= index
            case 0x24: accumulator &*= step.value
            case 0x74: accumulator >>= step.value
            case 0x05: place += Int(step.value)
            case 0x15: place += Int(accumulator == step.value ? step.if_true : step.if_false)
            case 0x35: place += Int(accumulator >= step.value ? step.if_true : step.if_false)
            case 0x06: return Int(step.value)
            default:
                Issue.record("unknown instruction \(step.code)")
                return -1
            }
        }
        Issue.record("the program does not end")
        return -1
    }
}
