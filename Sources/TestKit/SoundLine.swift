package import Core

/// A bad line for coded sound: loses, delays and reorders packets, and has a clock of its own. A run is a function of
/// the seed.
package struct SoundLine: Sendable {
    package var seed: UInt64 = 1
    /// Each packet is late by anything between nothing and this, whatever its neighbours are.
    package var jitter = MediaTime.zero
    /// Packets do not overtake each other.
    package var keepsOrder = false
    /// The part of the packets that is lost.
    package var loss = 0.0
    /// How many are lost in a row on average.
    package var burst = 1.0
    /// The part of the packets that comes twice.
    package var duplicates = 0.0
    /// By how many millionths the sender's clock is faster.
    package var driftPPM = 0.0
    /// What the fastest packet takes.
    package var latency = MediaTime.milliseconds(33)

    package init() {}

    /// A packet as it is sent: `time` is on the sender's clock.
    package struct Sent: Sendable {
        package var time: MediaTime
        package var timestamp: Int64
        package var payloadType: UInt8
        package var payload: Payload
        package init(time: MediaTime, timestamp: Int64, payloadType: UInt8, payload: Payload) {
            self.time = time
            self.timestamp = timestamp
            self.payloadType = payloadType
            self.payload = payload
        }
    }

    /// What arrives, in order of arrival; sequence numbers count what was sent.
    package func carry(_ sent: [Sent], from begin: Instant = Instant(nanoseconds: 0)) -> [SoundPacket] {
        var random = SeededRandom(seed: seed)
        var arrived: [SoundPacket] = []
        var last = begin
        var isLosing = false
        for (index, packet) in sent.enumerated() {
            // Two states: the mean stay in the bad one is `burst`, the share of time in it is `loss`.
            let leave = 1 / max(1, burst)
            let enter = loss >= 1 ? 1 : leave * loss / (1 - loss)
            isLosing = Double.random(in: 0..<1, using: &random) < (isLosing ? 1 - leave : enter)
            if burst <= 1 { isLosing = Double.random(in: 0..<1, using: &random) < loss }
            let late = Int64(Double.random(in: 0..<1, using: &random) * Double(jitter.nanoseconds))
            let isTwice = Double.random(in: 0..<1, using: &random) < duplicates
            if isLosing { continue }
            let local = Int64(Double(packet.time.nanoseconds) / (1 + driftPPM * 1e-6))
            var arrival = begin + latency + MediaTime(nanoseconds: local + late)
            if keepsOrder { arrival = max(arrival, last) }
            last = arrival
            for copy in 0..<(isTwice ? 2 : 1) {
                arrived.append(
                    SoundPacket(
                        sequence: Int64(index), timestamp: packet.timestamp, payload: packet.payload,
                        arrival: arrival + .milliseconds(3 * copy), payloadType: packet.payloadType))
            }
        }
        return arrived.enumerated().sorted { ($0.element.arrival, $0.offset) < ($1.element.arrival, $1.offset) }
            .map(\.element)
    }
}
