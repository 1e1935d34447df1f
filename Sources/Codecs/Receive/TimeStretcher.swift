import Media

/// Makes what waits in a store shorter or longer by one period of its pitch, overlapped and added so that neither
/// pitch nor timbre changes.
enum TimeStretcher {
    /// What repeats itself as well as this is stretched without anybody noticing.
    private static let likenessMin: Float = 0.9
    /// While far too much waits.
    private static let likenessHurried: Float = 0.5
    /// Mean square of -54 dBov: in what is this quiet any seam is as good as another.
    private static let quietPower: Float = 4e-6
    /// Samples that have to wait to be shortened by one period.
    static let needToShorten = 2 * Pitch.lagMax + AudioFrame.blockSamples / 2

    /// How much a seam may be heard.
    enum Haste { case onlyQuiet, usual, hurried }

    /// Takes out one period of at most `most` samples, so that at least `keep` go on waiting. Returns its length, 0
    /// where the sound does not repeat itself.
    static func shorten(_ store: SampleStore, most: Int, keep: Int, haste: Haste) -> Int {
        let most = min(most, Pitch.lagMax, store.count - keep, store.count / 2, store.count - Pitch.window)
        guard most >= Pitch.lagMin else { return 0 }
        let match = Pitch.match(store.front, channels: store.channels, lagMax: most)
        let isQuiet = match.power < quietPower
        guard isQuiet || haste != .onlyQuiet else { return 0 }
        guard isQuiet || match.likeness > (haste == .hurried ? likenessHurried : likenessMin) else { return 0 }
        let lag = isQuiet ? most : match.lag
        let channels = store.channels
        let first = store.front
        // From what comes now to what comes one period later.
        for index in 0..<lag {
            let weight = Float(index + 1) / Float(lag + 1)
            for channel in 0..<channels {
                let place = index * channels + channel
                first[place] += (first[place + lag * channels] - first[place]) * weight
            }
        }
        store.remove(lag, at: lag)
        return lag
    }

    /// Puts one period more before what waits. Returns its length, 0 where the sound does not repeat itself.
    static func lengthen(_ store: SampleStore, most: Int = Pitch.lagMax, isHurried: Bool) -> Int {
        let most = min(most, Pitch.lagMax, store.count)
        guard most >= Pitch.lagMin else { return 0 }
        let channels = store.channels
        // What comes now is compared with the past.
        let match = Pitch.reversed(store.front + min(Pitch.window, store.count) * channels, channels: channels)
        let isQuiet = match.power < quietPower
        guard isQuiet || match.likeness > (isHurried ? likenessHurried : likenessMin) else { return 0 }
        let lag = isQuiet ? most : min(match.lag, most)
        let made = store.insertAtFront(lag)
        // From what would come now back to what was one period ago, then what would come now.
        for index in 0..<lag {
            let weight = Float(index + 1) / Float(lag + 1)
            for channel in 0..<channels {
                let place = index * channels + channel
                let now = made[place + lag * channels]
                let before = made[place - lag * channels]
                made[place] = now + (before - now) * weight
            }
        }
        return lag
    }
}
