import Simulation
import Testing

/// Media between two whole peers over bad networks, in virtual time; a few seeds. `script/simulate` runs many.
struct BadNetworkTests {
    @Test(arguments: Scenario.all.map(\.name)) func mediaSurvives(_ name: String) throws {
        let scenario = try #require(Scenario.named(name))
        for seed in BadNetworkTests.seeds {
            let outcome = try PeerRig(scenario, seed: seed).run()
            #expect(
                outcome.complaints.isEmpty,
                "\(outcome.complaints.joined(separator: "; ")): script/simulate --scenario \(name) --seed \(seed)")
        }
    }

    private static let seeds: ClosedRange<UInt64> = 1...1

    @Test func aSeedIsARun() throws {
        let scenario = try #require(Scenario.named("loss-10"))
        let first = try PeerRig(scenario, seed: 7).run()
        let second = try PeerRig(scenario, seed: 7).run()
        let other = try PeerRig(scenario, seed: 8).run()
        #expect(first.fingerprint == second.fingerprint)
        #expect(first.fingerprint != other.fingerprint)
    }

    @Test func realCodecsAreCarriedToo() throws {
        let scenario = try #require(Scenario.named("loss-5"))
        let outcome = try PeerRig(scenario, seed: 1, isReal: true).run()
        #expect(outcome.complaints.isEmpty)
    }
}
