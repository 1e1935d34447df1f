import CLibraryClock
import Core
import Glibc
import Testing
import Transport

/// Memory and descriptors are where they were after hundreds of connections; each in a process of its own, where nobody
/// else allocates.
struct LeakTests {
    @Test func dataChannels() async {
        await #expect(processExitsWith: .success) {
            func round(_ number: Int) throws {
                let pair = DataPair(.init(loss: number % 3 == 0 ? 0.1 : 0), seed: UInt64(number))
                let id = try pair.client.open(.init(label: "x"), at: pair.now)
                try pair.client.send(.binary([UInt8](repeating: 1, count: 5000)), on: id, at: pair.now)
                pair.run { DataPair.messages(pair.serverEvents).count == 1 }
                precondition(DataPair.messages(pair.serverEvents).count == 1)
                switch number % 4 {
                case 0: pair.client.end(abort: false, at: pair.now)
                case 1: pair.server.end(abort: true, at: pair.now)
                case 2: pair.client.close(id, at: pair.now)
                default: break
                }
                pair.run(for: .milliseconds(number % 2 == 0 ? 3000 : 5))
            }
            try measure(rounds: 300, allowedBytes: 300_000, round)
        }
    }

    @Test func handshakes() async {
        await #expect(processExitsWith: .success) {
            func round(_ number: Int) throws {
                let pair = try DTLSPair(.init(loss: number % 3 == 0 ? 0.2 : 0), seed: UInt64(number))
                try pair.start()
                if number % 4 != 0 { pair.run { pair.bothConnected } }
                if let keys = pair.keys.client { try SRTPContext().install(keys, role: .client) }
                if number % 2 == 0 { pair.close(client: true) }
                pair.run(for: .milliseconds(100))
            }
            try measure(rounds: 120, allowedBytes: 120_000, round)
        }
    }
}

/// Runs `round` often, and ends the process unless memory and descriptors are then as after some rounds.
private func measure(rounds: Int, allowedBytes: Int64, _ round: (Int) throws -> Void) throws {
    // Libraries keep caches of their own, filled by the first rounds.
    for number in 0..<40 { try round(number) }
    let (bytes, descriptors) = (tessera_heap_bytes(), openDescriptors())
    for number in 0..<rounds { try round(number) }
    let (grown, opened) = (tessera_heap_bytes() - bytes, openDescriptors() - descriptors)
    precondition(grown < allowedBytes, "\(grown) bytes more after \(rounds) rounds")
    precondition(opened <= 0, "\(opened) descriptors more")
}

private func openDescriptors() -> Int { (0..<1024).count { fcntl(Int32($0), F_GETFD) != -1 } }
