import Core

/// What somebody in front of the receiver saw: which picture was shown when, on a screen of 60 Hz.
package struct Screen: Sendable {
    package struct Shown: Hashable, Sendable {
        package var counter: Int
        /// Seconds since the media began.
        package var at: Double
    }
    package struct Freezes: Hashable, Sendable {
        package var count = 0
        package var longest = 0.0
    }

    private static let rate = 60.0
    /// A picture that stands this long is a freeze.
    package static let freeze = 0.2

    /// In the order of their coming: counter, when it was due, when it was there.
    private var pictures: [(counter: Int, due: Double, at: Double)] = []

    package init() {}

    package mutating func add(_ counter: Int, due: Double, at: Double) { pictures.append((counter, due, at)) }

    /// The pictures that were seen: at each refresh the newest that is due and there.
    package func shown() -> [Shown] {
        var shown: [Shown] = []
        for picture in pictures {
            let refresh = (max(picture.due, picture.at, shown.last?.at ?? 0) * Screen.rate).rounded(.up) / Screen.rate
            if let last = shown.last, last.at >= refresh { shown.removeLast() }
            shown.append(Shown(counter: picture.counter, at: refresh))
        }
        return shown
    }

    /// Gaps without a new picture that are a freeze and end between two times; the screen is looked at until `to`.
    package static func freezes(_ shown: [Shown], from: Double, to: Double) -> Freezes {
        var result = Freezes()
        var last = from
        for time in shown.map(\.at).filter({ $0 > from && $0 < to }) + [to] {
            let gap = time - last
            result.longest = max(result.longest, gap)
            if gap > freeze { result.count += 1 }
            last = time
        }
        return result
    }

    /// Pictures per second between two times.
    package static func rate(_ shown: [Shown], from: Double, to: Double) -> Double {
        Double(shown.filter { $0.at >= from && $0.at < to }.count) / max(to - from, 1e-9)
    }

    /// From `moment` to the first picture that was taken after it and is followed by others without a freeze for a
    /// second; nil: never.
    package static func recovery(_ shown: [Shown], from moment: Double, framesPerSecond: Double) -> Double? {
        let first = Int(moment * framesPerSecond)
        let later = shown.filter { $0.at >= moment && $0.counter >= first }
        for (index, picture) in later.enumerated() {
            let end = picture.at + 1
            let gaps = zip(later[index...], later[index...].dropFirst()).prefix { $0.0.at < end }
            if !gaps.isEmpty, gaps.allSatisfy({ $1.at - $0.at <= freeze }) { return picture.at - moment }
        }
        return nil
    }
}
