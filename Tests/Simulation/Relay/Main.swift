// Puts one of the simulation's networks between real peers; script/impair uses it.
//
//   relay SCENARIO up|down SERVER:PORT [SEED]    which way the media goes, seen from the peer
//
// Says where it listens and what the scenario is, as JSON. The scenario begins with a line on standard input; when that
// ends, the relay says what happened and ends too.
import Core
import Glibc
import Reactor
import Simulation
import TestKit

@main
struct Main {
    static func main() {
        let arguments = CommandLine.arguments
        guard arguments.count >= 4, let scenario = Scenario.named(arguments[1]), ["up", "down"].contains(arguments[2]),
            let server = SocketAddress(arguments[3]), let seed = UInt64(arguments.count > 4 ? arguments[4] : "1")
        else {
            let known = Scenario.all.map(\.name).joined(separator: ", ")
            say("usage: relay SCENARIO up|down SERVER:PORT [SEED]; scenarios: \(known)", to: STDERR_FILENO)
            exit(2)
        }
        let host = SystemHost(workers: 1, loops: 1)
        let loop = host.nextLoop()
        let made = Lock<Relay?>(nil)
        loop.post {
            do throws(NetworkError) {
                let relay = try Relay(
                    scenario, mediaGoesUp: arguments[2] == "up", to: server, at: server.ip, seed: seed, host: host,
                    loop: loop)
                made.withLock { $0 = relay }
                say(describe(scenario, relay.address))
            } catch {
                say("relay: \(error)", to: STDERR_FILENO)
                exit(1)
            }
        }
        while readLine() != nil {
            loop.post { made.withLock { $0 }?.begin() }
        }
        loop.post {
            if let relay = made.withLock({ $0 }) { say(relay.report()) }
            exit(0)
        }
        while true { pause() }
    }

    private static func describe(_ scenario: Scenario, _ address: SocketAddress) -> String {
        func number(_ value: Double?) -> String { value.map { "\($0)" } ?? "null" }
        let bounds = scenario.bounds
        return "{\"address\": \"\(address)\", \"duration\": \(scenario.duration), "
            + "\"restored\": \(number(scenario.restored)), \"troubleAt\": \(number(scenario.changes.first?.at)), "
            + "\"settling\": \(Scenario.settlingTime), \"warmUp\": \(Scenario.warmUp), "
            + "\"rate\": \(scenario.forward.bitsPerSecond.map { "\($0)" } ?? "null"), "
            + "\"framesPerSecond\": \(number(bounds.framesPerSecond)), \"freeze\": \(number(bounds.freeze)), "
            + "\"recovery\": \(number(bounds.recovery)), \"queueDelay\": \(number(bounds.queueDelay)), "
            + "\"settled\": \(bounds.settled.map { "[\($0.lowerBound), \($0.upperBound)]" } ?? "null")}"
    }

    /// At once, whatever standard output is.
    private static func say(_ line: String, to descriptor: Int32 = STDOUT_FILENO) {
        let bytes = Array((line + "\n").utf8)
        _ = write(descriptor, bytes, bytes.count)
    }
}
