import Core
import Testing

@Suite struct MediaTimeTests {
    @Test func sumsSaturate() {
        let large = MediaTime(nanoseconds: .max - 5)
        #expect(large + .milliseconds(1) == .infinity)
        #expect(MediaTime(nanoseconds: .min + 5) - .milliseconds(1) == .distantPast)
        #expect(MediaTime.infinity - .seconds(1) == .infinity)
        #expect(MediaTime.distantPast + .seconds(1) == .distantPast)
        #expect(.seconds(1) - MediaTime.infinity == .distantPast)
        #expect(.seconds(1) - MediaTime.distantPast == .infinity)
        #expect(-MediaTime.infinity == .distantPast && -MediaTime.distantPast == .infinity)
        #expect(MediaTime.infinity / 2 == .infinity)
        #expect(MediaTime.seconds(3) / 2 == .milliseconds(1500))
        #expect(Instant(nanoseconds: 5) + .infinity == Instant(nanoseconds: .max))
    }

    @Test func positionsBeyondTheLineSaturate() {
        #expect(MediaTime(.max, per: Rational(1, 1)) == .infinity)
        #expect(MediaTime(.min, per: Rational(1, 1)) == .distantPast)
        #expect(MediaTime.infinity.count(per: Rational(4_000_000_000, 1)) == .max)
        #expect(MediaTime.distantPast.count(per: Rational(40_000_000_000, 1)) == .min)
    }

    /// Every frame of six hours, and every hundredth sample, found again from its time; negative ones too.
    @Test(arguments: [
        Rational(30_000, 1001), Rational(24_000, 1001), Rational(60, 1), Rational(15, 1), Rational(50, 1),
    ])
    func framesFindTheirWayBack(_ rate: Rational) {
        for count in Int64(0)...Int64(6 * 3600 * rate.value) {
            #expect(MediaTime(count, per: rate).count(per: rate) == count)
        }
        #expect(MediaTime(-77, per: rate).count(per: rate) == -77)
    }

    @Test(arguments: [44_100, 48_000, 11_025, 96_000])
    func samplesFindTheirWayBack(_ rate: Int) {
        for count in stride(from: Int64(0), through: Int64(6 * 3600 * rate), by: 997) {
            #expect(MediaTime(samples: count, rate: rate).samples(rate: rate) == count)
        }
    }

    @Test func nothingDrifts() {
        // Ten hours of 29.97 are 1 078 921 frames and a bit; the position is right to half a nanosecond.
        let rate = Rational(30_000, 1001)
        #expect(MediaTime(30_000 * 36, per: rate) == MediaTime(nanoseconds: 36 * 1001 * 1_000_000_000))
        #expect(MediaTime(samples: 44_100 * 36_000, rate: 44_100) == .seconds(36_000))
        #expect(MediaTime(1, per: Rational(3, 1)).nanoseconds == 333_333_333)
        #expect(MediaTime(2, per: Rational(3, 1)).nanoseconds == 666_666_667)
    }

    @Test func printed() {
        #expect(MediaTime.milliseconds(3_723_004).description == "1:02:03.004")
        #expect(MediaTime.milliseconds(-1500).description == "-0:00:01.500")
        #expect(MediaTime.infinity.description == "∞" && MediaTime.distantPast.description == "-∞")
    }

    @Test func rationalsAreInLowestTerms() {
        #expect(Rational(60_000, 2002) == Rational(30_000, 1001))
        #expect(Rational(50, 2).description == "25" && Rational(30_000, 1001).description == "30000/1001")
        #expect(Rational(25, 1).interval == .milliseconds(40))
    }

    @Test func rationalsWithoutSenseTrap() async {
        await #expect(processExitsWith: .failure) { _ = Rational(0, 1) }
    }
}
