import Core
import Testing

@testable import Control

@Suite struct RequestCacheTests {
    private func time(_ seconds: Double) -> Instant { Instant(nanoseconds: 0) + .seconds(seconds) }

    @Test func answersExpire() {
        var cache = RequestCache()
        cache.store("one", for: "a", at: time(0), period: .seconds(20), bytesMax: 1000)
        #expect(cache.answer(to: "a", at: time(19.9)) == "one")
        #expect(cache.answer(to: "b", at: time(19.9)) == nil)
        #expect(cache.answer(to: "a", at: time(20)) == nil)
        #expect(cache.bytes == 0)
    }

    @Test func anAnswerIsReplaced() {
        var cache = RequestCache()
        cache.store("one", for: "a", at: time(0), period: .seconds(20), bytesMax: 1000)
        cache.store("second", for: "a", at: time(10), period: .seconds(20), bytesMax: 1000)
        #expect(cache.answer(to: "a", at: time(25)) == "second")
        #expect(cache.answer(to: "a", at: time(30)) == nil)
        #expect(cache.bytes == 0)
    }

    @Test func theOldestGoFirst() {
        var cache = RequestCache()
        for number in 0..<10 {
            cache.store("12345678", for: "\(number)", at: time(Double(number)), period: .seconds(20), bytesMax: 1000)
        }
        let before = cache.bytes
        #expect(before > 80)
        cache.store("x", for: "last", at: time(10), period: .seconds(20), bytesMax: before - 1)
        #expect(cache.bytes < before)
        #expect(cache.answer(to: "0", at: time(10)) == nil)
        #expect(cache.answer(to: "9", at: time(10)) == "12345678" && cache.answer(to: "last", at: time(10)) == "x")
    }
}
