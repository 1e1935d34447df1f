import Core
import Files
import Foundation
import TestKit
import Testing

@Suite struct LongRecordingTests {
    /// Two hours of small frames: 29.97 pictures and 46.875 blocks of AAC a second.
    @Test(arguments: [Container.mp4, .mkv]) func twoHoursKeepTheirTimes(container: Container) throws {
        let source = try MuxerTests.Source("b.mp4")
        let pictures = source.packets.filter { $0.track == 0 }
        let picture = try #require(pictures.min { $0.frame.payload.count < $1.frame.payload.count })
        let key = try #require(source.packets.first { $0.track == 0 })
        let sound = try #require(source.packets.first { $0.track == 1 })
        let path = try Shell.scratch("long") + "/out.\(container.rawValue)"
        let muxer = try Muxer(url: path, container: container, tracks: source.formats)
        let rate = Rational(30_000, 1001)
        let end = MediaTime.seconds(7_200)
        var counts: [Int64] = [0, 0]
        while true {
            let times = [MediaTime(counts[0], per: rate), MediaTime(samples: counts[1] * 1024, rate: 48_000)]
            let track = times[0] <= times[1] ? 0 : 1
            guard times[track] < end else { break }
            var frame = track == 1 ? sound.frame : counts[0] % 300 == 0 ? key.frame : picture.frame
            (frame.pts, frame.dts, frame.skipStart) = (times[track], times[track], 0)
            frame.duration = track == 0 ? rate.interval : MediaTime(samples: 1024, rate: 48_000)
            frame.isKey = track == 1 || counts[0] % 300 == 0
            try muxer.write(track: track, frame: frame)
            counts[track] += 1
        }
        try muxer.finish()
        #expect(muxer.repairCount == 0)
        let duration = try #require(try TestMedia.duration(path))
        #expect(abs(duration - 7_200) < 0.04)
        let demuxer = try Demuxer(url: path)
        // The last quarter of a minute: both tracks are where they belong, to the tick.
        try demuxer.seek(to: .seconds(7_185))
        var seen: [Int64] = [0, 0]
        let tolerance: Int64 = container == .mp4 ? 12_000 : 510_000
        while let packet = try demuxer.read() {
            let time = packet.frame.pts
            #expect(time >= .seconds(7_170))
            let nearest =
                packet.track == 0
                ? MediaTime(time.count(per: rate), per: rate)
                : MediaTime(samples: Int64((Double(time.samples(rate: 48_000)) / 1024).rounded()) * 1024, rate: 48_000)
            #expect(abs((time - nearest).nanoseconds) <= tolerance)
            seen[packet.track] += 1
        }
        #expect(seen[0] > 440 && seen[1] > 690)
    }
}
