// What peers cost: per packet passed through, idle, in memory, made and joined; and a call under a flood. Real sockets on
// loopback. swift run -c release bench-endpoints [--quick] [passing | idle | memory | joins | flood | srtp | trace]...
import Core
import Elements
import Glibc

let isQuick = CommandLine.arguments.contains("--quick")
var wanted = CommandLine.arguments.dropFirst().filter { !$0.hasPrefix("--") }
if wanted.isEmpty { wanted = ["passing", "srtp", "idle", "memory", "joins", "flood"] }

for (index, name) in wanted.enumerated() {
    say("\(index + 1) of \(wanted.count): \(name)")
    switch name {
    case "passing": try await measurePassing()
    case "srtp": try measureSRTP()
    case "idle": try await measureIdle()
    case "memory": try await measureMemory()
    case "joins": try await measureJoins()
    case "flood": try await measureFlood()
    case "trace": try await tracePassing()
    default:
        say("there is no measurement \(name)")
        exit(2)
    }
    // What was measured stays, whatever comes.
    fflush(nil)
}
