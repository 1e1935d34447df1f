import RTP
import Testing

struct SequenceNumberTests {
    @Test func numbersGoOnAcrossTheWrap() {
        var unwrapper = SequenceUnwrapper()
        let first = unwrapper.unwrap(65_534)
        #expect([65_535, 0, 1].map { unwrapper.unwrap($0) - first } == [1, 2, 3])
        #expect(unwrapper.unwrap(65_533) - first == -1)
        #expect(unwrapper.unwrap(2) - first == 4)
    }

    @Test func timestampsToo() {
        var unwrapper = TimestampUnwrapper()
        let first = unwrapper.unwrap(0xFFFF_FFFF)
        #expect(unwrapper.unwrap(2999) - first == 3000)
        #expect(unwrapper.unwrap(0xFFFF_FFF0) - first == -15)
    }
}
