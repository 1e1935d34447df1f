import CLinux
import Core

/// A program for the kernel that tells datagrams of known peers from all others, by the address and port they come
/// from. A pure function of its addresses and key.
///
/// The kernel's classic filter has neither tables nor loops, so addresses become numbers of 31 bits by a keyed mix, and
/// the numbers a tree of comparisons. The key is secret: who does not know it cannot choose an address that is taken
/// for a peer's, and by chance one in 2³¹ ÷ peers is. That does no harm, as both ways end at the same receiver.
struct SteeringProgram {
    /// Numbers of the mix, drawn once per socket.
    struct Key {
        let seed: UInt32
        let factor: UInt32
        init(_ random: inout some RandomNumberGenerator) {
            seed = random.next()
            // Odd, so that no bit is lost.
            factor = random.next() | 1
        }
    }

    let instructions: [clinux_instruction]

    /// `isV4`: the family of the socket; addresses of the other are passed over.
    init(_ peers: some Sequence<SocketAddress>, isV4: Bool, key: Key) {
        let numbers = Set(peers.lazy.filter { $0.ip.isV4 == isV4 }.map { SteeringProgram.number($0, key) }).sorted()
        instructions = SteeringProgram.mix(isV4, key) + SteeringProgram.tree(numbers[...])
    }

    // MARK: The mix

    static func number(_ peer: SocketAddress, _ key: Key) -> UInt32 {
        let (high, low) = (peer.ip.high, peer.ip.low)
        let words = peer.ip.isV4 ? [low] : [high >> 32, high, low >> 32, low]
        var mixed = key.seed
        for word in words + [UInt64(peer.port)] {
            mixed = (mixed ^ UInt32(truncatingIfNeeded: word)) &* key.factor
            mixed ^= mixed >> 15
        }
        return mixed >> 1
    }

    /// Offsets that count from the header of the network layer (`SKF_NET_OFF`).
    private static let network = UInt32(bitPattern: -0x100000)
    /// Its length: IPv4 without options, IPv6 without further headers. Others are taken for strangers'.
    private static func headerBytes(_ isV4: Bool) -> UInt32 { isV4 ? 20 : 40 }

    private static func mix(_ isV4: Bool, _ key: Key) -> [clinux_instruction] {
        let sources: [UInt32] = isV4 ? [12] : [8, 12, 16, 20]
        var program = [make(.loadConstant, key.seed), make(.store)]
        for source in sources { program += [make(.loadWord, network &+ source)] + step(key) }
        // The source port is the first thing in UDP's header.
        program += [make(.loadHalf, network &+ headerBytes(isV4))] + step(key)
        return program + [make(.shiftRight, 1)]
    }

    /// Mixes the accumulator into what is stored.
    private static func step(_ key: Key) -> [clinux_instruction] {
        [
            make(.loadIndex), make(.xorIndex), make(.multiply, key.factor), make(.store), make(.shiftRight, 15),
            make(.loadIndex), make(.xorIndex), make(.store),
        ]
    }

    // MARK: The tree

    /// So many numbers are compared one after the other: jumps stay short, and the tree small.
    private static let leafMax = 8
    private static let stranger = UInt32(0)
    private static let peer = UInt32(1)

    private static func tree(_ numbers: ArraySlice<UInt32>) -> [clinux_instruction] {
        guard numbers.count > leafMax else {
            let tests = numbers.enumerated().map { place, number in
                make(.isEqual, number, then: UInt8(numbers.count - place), otherwise: 0)
            }
            return tests + [make(.finish, stranger), make(.finish, peer)]
        }
        let middle = numbers.startIndex + numbers.count / 2
        let lower = tree(numbers[..<middle])
        // Conditions jump 255 instructions at most, so the far way is a jump of its own.
        return [make(.isAtLeast, numbers[middle], then: 0, otherwise: 1), make(.jump, UInt32(lower.count))]
            + lower + tree(numbers[middle...])
    }

    // MARK: Instructions

    /// Codes of `linux/bpf_common.h`, as they are put together there. One word of memory is used, the first.
    private enum Code: UInt16 {
        case loadConstant = 0x00
        case loadWord = 0x20
        case loadHalf = 0x28
        case loadIndex = 0x61
        case store = 0x02
        case xorIndex = 0xAC
        case multiply = 0x24
        case shiftRight = 0x74
        case jump = 0x05
        case isEqual = 0x15
        case isAtLeast = 0x35
        case finish = 0x06
    }

    private static func make(
        _ code: Code, _ value: UInt32 = 0, then: UInt8 = 0, otherwise: UInt8 = 0
    ) -> clinux_instruction {
        clinux_instruction(code: code.rawValue, if_true: then, if_false: otherwise, value: value)
    }
}
