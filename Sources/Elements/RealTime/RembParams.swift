import RTP

/// How a peer is told what it may send (REMB), by the losses of what comes from it; names, units and values to begin
/// with are those of Kurento. See `ReceiveRateControl` for what they do.
package struct RembParams: Hashable, Sendable {
    /// Packets over which the share of losses is averaged.
    package var packetsRecvIntervalTop = 100
    /// Growth per half second while nothing is lost, below the threshold.
    package var exponentialFactor = 0.04
    /// Least growth per half second above the threshold, in bits per second.
    package var linealFactorMin = 50
    /// Above the threshold, half seconds until the rate of the last great loss is reached again.
    package var linealFactorGrade = 30.0
    /// What a great loss leaves of the rate.
    package var decrementFactor = 0.5
    /// The threshold as a part of the rate at the last loss.
    package var thresholdFactor = 0.8
    /// A loss is great from so many of 256 packets on.
    package var upLosses = 12
    /// Bits per second: told first, and assumed of the peer's line for what is sent to it.
    package var rembOnConnect = 300_000
    package init() {}

    var settings: ReceiveRateControl.Settings {
        var settings = ReceiveRateControl.Settings()
        settings.packetsAveraged = packetsRecvIntervalTop
        settings.growthFactor = exponentialFactor
        settings.growthStepMin = linealFactorMin
        settings.growthSteps = linealFactorGrade
        settings.lossFactor = decrementFactor
        settings.thresholdFactor = thresholdFactor
        settings.lossesMax = upLosses
        settings.start = rembOnConnect
        return settings
    }
}
