import Simulation
import Testing

struct ScreenTests {
    /// 30 pictures per second, due when they come, but for those that `late` changes.
    private func screen(_ count: Int, late: (Int) -> Double = { _ in 0 }) -> Screen {
        var screen = Screen()
        for index in 0..<count {
            // Away from the refreshes, where rounding decides.
            let due = Double(index) / 30 + 0.004
            screen.add(index, due: due, at: due + late(index))
        }
        return screen
    }

    @Test func whatComesInTimeIsShown() {
        let shown = screen(90).shown()
        #expect(shown.count == 90)
        #expect(abs(Screen.rate(shown, from: 1, to: 2) - 30) <= 1)
        #expect(Screen.freezes(shown, from: 1, to: 2).count == 0)
    }

    @Test func whatComesTogetherIsShownOnce() {
        // Ten pictures wait for the first of them.
        let shown = screen(90) { (30..<40).contains($0) ? Double(40 - $0) / 30 : 0 }.shown()
        #expect(shown.count == 80)
        let freezes = Screen.freezes(shown, from: 0.5, to: 2.5)
        #expect(freezes.count == 1)
        #expect(abs(freezes.longest - 11.0 / 30) < 0.03)
    }

    @Test func anEndWithoutPicturesIsAFreeze() {
        #expect(Screen.freezes(screen(30).shown(), from: 0.5, to: 2).longest > 1)
    }

    @Test func recoveryIsThePictureTakenAfterwardsThatGoesOn() throws {
        let moving = screen(150).shown()
        #expect(try #require(Screen.recovery(moving, from: 2, framesPerSecond: 30)) < 0.05)
        // One picture, then nothing for a while: not moving yet.
        let late = screen(150) { (61..<80).contains($0) ? Double(80 - $0) / 30 : 0 }.shown()
        #expect(try #require(Screen.recovery(late, from: 2, framesPerSecond: 30)) > 0.5)
        #expect(Screen.recovery(screen(30).shown(), from: 2, framesPerSecond: 30) == nil)
    }
}
