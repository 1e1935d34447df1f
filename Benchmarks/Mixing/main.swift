// Prints what composition and sound mixing cost: medians over many runs of one thread's CPU time,
// which other work on the machine disturbs least.
// swift run -c release bench-mixing
import Core
import Glibc
import Media
import Mixing

func milliseconds(_ body: () -> Void) -> Double {
    var (start, end) = (timespec(), timespec())
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start)
    body()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end)
    return Double(end.tv_sec - start.tv_sec) * 1e3 + Double(end.tv_nsec - start.tv_nsec) / 1e6
}

func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

/// Three decimals, right-aligned.
func cell(_ value: Double, width: Int = 10) -> String {
    let scaled = Int((value * 1000).rounded())
    let digits = String(scaled % 1000)
    let text = "\(scaled / 1000)." + String(repeating: "0", count: 3 - digits.count) + digits
    return String(repeating: " ", count: max(0, width - text.count)) + text
}

let pool = FramePool()

/// Soft shapes with noise that moves: every sample differs from the picture before.
func picture(_ seed: UInt64, _ width: Int = 640, _ height: Int = 360) -> VideoFrame {
    var random = SeededRandom(seed: seed)
    return VideoFrame(width: width, height: height, pts: .zero, pool: pool) { planes in
        func draw(_ plane: UnsafeMutablePointer<UInt8>, _ stride: Int, _ width: Int, _ height: Int) {
            for row in 0..<height {
                for column in 0..<width {
                    let shape = (column + Int(seed) * 3) * (row + 7) >> 7 & 127
                    plane[row * stride + column] = UInt8(16 + shape + Int(random.next() & 31))
                }
            }
        }
        draw(planes.y, planes.strideY, planes.width, planes.height)
        draw(planes.u, planes.strideUV, planes.chromaWidth, planes.chromaHeight)
        draw(planes.v, planes.strideUV, planes.chromaWidth, planes.chromaHeight)
    }
}

/// Median milliseconds of a canvas of 1280×720 on which `moving` of `count` tiles are new in each picture. A reader
/// holds on to the last two canvases, as an encoder does.
func composition(count: Int, moving: Int) -> Double {
    let regions = Layout.balancedGrid(count: count, width: 1280, height: 720).regions
    let stock = (0..<(2 * count + 6)).map { picture(UInt64($0)) }
    let compositor = Compositor(pool: pool)
    var shown = Array(stock.prefix(count))
    var held: [VideoFrame] = []
    var times: [Double] = []
    for step in 0..<200 {
        for index in 0..<moving {
            let tile = moving == count ? index : (step + index) % count
            shown[tile] = stock[(step * 5 + tile) % stock.count]
        }
        let tiles = zip(shown, regions).map { Tile(frame: $0, region: $1) }
        let job = CompositionJob(width: 1280, height: 720, pts: .milliseconds(step * 33), tiles: tiles)
        times.append(milliseconds { held.append(compositor.render(job)) })
        if held.count > 2 { held.removeFirst() }
    }
    return median(Array(times.dropFirst(20)))
}

/// Median milliseconds of comparing two equal canvases: all tiles have new memory, but the same pixels.
func changeMap() -> (equal: Double, different: Double) {
    let compositor = Compositor(pool: pool)
    let twins = [picture(1, 1280, 720), picture(1, 1280, 720), picture(2, 1280, 720)]
    func time(_ order: [Int]) -> Double {
        median(
            (0..<100).map { step in
                let tile = Tile(frame: twins[order[step % order.count]], region: Region())
                let job = CompositionJob(width: 1280, height: 720, pts: .zero, tiles: [tile])
                return milliseconds { _ = compositor.render(job) }
            })
    }
    return (time([0, 1]), time([0, 2]))
}

print("Composition, 640×360 onto 1280×720, ms per picture")
print(" tiles    all new  one of n new   none new   per new tile")
for count in [1, 4, 9, 16, 25, 49] {
    let (all, one, none) = (
        composition(count: count, moving: count), composition(count: count, moving: 1),
        composition(count: count, moving: 0)
    )
    let name = String(repeating: " ", count: 6 - String(count).count) + String(count)
    print("\(name) \(cell(all)) \(cell(one, width: 13)) \(cell(none)) \(cell(all / Double(count), width: 14))")
}
let maps = changeMap()
print("One tile of 1280×720 copied and compared: equal \(cell(maps.equal)), different \(cell(maps.different)) ms")

print("\nSound, blocks of 20 ms, µs per block")
print("inputs   one mix   10 mix-minus   mono inputs, one mix")
for count in [10, 100, 1000] {
    func blocks(channels: Int) -> [MixerInput] {
        (0..<count).map { port in
            var random = SeededRandom(seed: UInt64(port))
            let samples = (0..<(960 * channels)).map { _ in Float(random.next() & 0xFFFF) / 0xFFFF / Float(count) }
            return MixerInput(port: port, block: AudioFrame(pts: .zero, channels: channels, samples: samples))
        }
    }
    func time(_ inputs: [MixerInput], _ outputs: [Hearing]) -> Double {
        var mixer = AudioMixer()
        return 1000 * median((0..<200).map { _ in milliseconds { _ = mixer.mix(at: .zero, inputs, outputs: outputs) } })
    }
    let (stereo, mono) = (blocks(channels: 2), blocks(channels: 1))
    let name = String(repeating: " ", count: 6 - String(count).count) + String(count)
    let minus = (0..<10).map { Hearing.everyoneBut($0) }
    print(
        "\(name) \(cell(time(stereo, [.everyone]))) \(cell(time(stereo, minus), width: 14)) "
            + cell(time(mono, [.everyone]), width: 22))
}
