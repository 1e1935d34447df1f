import Core
import Elements
import Media
import TestKit
import Testing

/// Images over pictures and faces.
@Suite struct OverlayFilterTests {
    /// A red square of 16 × 8 pixels, half transparent at its right half, made by ffmpeg.
    private static let image: Result<String, any Error> = Result {
        let path = try Shell.scratch("overlay") + "/red.png"
        try Shell.ffmpeg([
            "-f", "lavfi", "-i", "color=red:size=16x8,format=rgba,geq=r=255:g=0:b=0:a='if(lt(X,8),255,128)'",
            "-frames:v", "1", path,
        ])
        return path
    }

    private static func run(
        _ pictures: Int = 10, width: Int = 64, height: Int = 48,
        _ draw: @escaping @Sendable (VideoFrame.Planes) -> Void = { _ in },
        make: @escaping @Sendable (PipelineContext) throws -> Element
    ) throws -> (rig: TestRig, pictures: [VideoFrame]) {
        let rig = TestRig()
        try rig.on { context in
            let source = try context.wire(try make(context), kinds: [.video])
            source.every(.milliseconds(40), until: .milliseconds(40 * pictures - 10)) {
                $0.draw(
                    1, width: width, height: height, from: Int(($0.context.now.seconds * 25).rounded()), draw)
            }
        }
        rig.run(Double(pictures) * 0.04 + 0.3)
        return (rig, try rig.on { $0.sink().pictures })
    }

    @Test func imageOverlay() throws {
        let path = try Self.image.get()
        let (rig, pictures) = try Self.run { context in
            let filter = ImageOverlayFilter(context, name: "filter")
            filter.addImage("a", uri: path, at: .init(offsetX: 0.25, offsetY: 0.5, width: 0.5, height: 0.25))
            return filter
        }
        #expect(rig.troubles == [])
        let picture = try #require(pictures.last)
        // Red is 81 in brightness: whole at the left, half of it with the grey at the right.
        #expect(abs(Int(picture.luma(0.3, 0.6)) - 81) <= 2 && abs(Int(picture.luma(0.65, 0.6)) - 91) <= 3)
        #expect(picture.luma(0.1, 0.6) == 100 && picture.luma(0.5, 0.4) == 100 && picture.luma(0.9, 0.6) == 100)
        #expect(picture.planes.v[14 * picture.planes.strideUV + 10] > 220)
        try rig.on { context in
            let filter: ImageOverlayFilter = context.get("filter")
            #expect(filter.outputs[.video]?.origin !== context.source().source(.video))
            filter.removeImage("nobody")
            filter.removeImage("a")
            #expect(filter.imageIDs == [])
            #expect(filter.outputs[.video]?.origin === context.source().source(.video), "nothing to do: passes through")
        }
    }

    @Test func aspectRatioAndCentre() throws {
        let path = try "file://" + Self.image.get()
        for (isCentred, y) in [(false, 0.05), (true, 0.5)] {
            let (_, pictures) = try Self.run { context in
                let filter = ImageOverlayFilter(context, name: "filter")
                filter.addImage(
                    "a", uri: path,
                    at: .init(offsetX: 0, offsetY: 0, width: 1, height: 1, keepsAspectRatio: true, isCentred: isCentred)
                )
                return filter
            }
            let picture = try #require(pictures.last)
            // 64 × 32 of 64 × 48.
            #expect(abs(Int(picture.luma(0.2, y)) - 81) <= 2)
            #expect(picture.luma(0.2, 0.95) == 100 && (isCentred == (picture.luma(0.2, 0.05) == 100)))
        }
    }

    @Test func badImagesAreEventsOnly() throws {
        let broken = try Shell.scratch("overlay") + "/broken.png"
        try Shell.ffmpeg(["-f", "lavfi", "-i", "sine", "-t", "0.1", "-f", "wav", broken])
        for uri in ["/nowhere.png", broken, "gopher://x/y.png", "", "http://127.0.0.1:9/x.png", "/dev/zero"] {
            let (rig, pictures) = try Self.run { context in
                let filter = ImageOverlayFilter(context, name: "filter")
                filter.addImage("a", uri: uri, at: .init(offsetX: 0, offsetY: 0, width: 1, height: 1))
                return filter
            }
            #expect(pictures.count >= 9 && pictures.last?.luma(0.5, 0.5) == 100, "\(uri)")
            #expect(rig.troubles.count == 1 && rig.troubles[0].contains("is not shown"), "\(uri): \(rig.troubles)")
        }
    }

    /// Places and sizes as wild as a client may write them.
    @Test func wildPlacements() throws {
        let path = try Self.image.get()
        let wild = [-1e300, -3.3, -0.01, 0, 1e-9, 0.33, 1, 7.5, 1e300, .nan, .infinity]
        let (rig, pictures) = try Self.run { context in
            let filter = ImageOverlayFilter(context, name: "filter")
            for (index, value) in wild.enumerated() {
                let other = wild[(index * 3 + 1) % wild.count]
                filter.addImage(
                    "\(index)", uri: path,
                    at: .init(offsetX: value, offsetY: other, width: other, height: value, keepsAspectRatio: true))
            }
            return filter
        }
        #expect(rig.troubles == [] && pictures.count >= 9)
    }

    /// A face that OpenCV's cascade takes for one: what matters is where it is darker and where brighter.
    private static func face(_ planes: VideoFrame.Planes, x middleX: Int, y middleY: Int, radius: Int) {
        func ellipse(_ value: UInt8, _ a: Double, _ b: Double, _ x: Double, _ y: Double) {
            for row in 0..<planes.height {
                for column in 0..<planes.width {
                    let u = (Double(column - middleX) / Double(radius) - x) / a
                    let v = (Double(row - middleY) / Double(radius) - y) / b
                    if u * u + v * v <= 1 { planes.y[row * planes.strideY + column] = value }
                }
            }
        }
        ellipse(40, 0.8, 1.05, 0, -0.1)
        ellipse(190, 0.7, 0.95, 0, 0.05)
        for side in [-1.0, 1] {
            ellipse(120, 0.26, 0.13, side * 0.32, -0.12)
            ellipse(60, 0.17, 0.07, side * 0.32, -0.1)
            ellipse(70, 0.22, 0.045, side * 0.33, -0.3)
            ellipse(130, 0.1, 0.05, side * 0.1, 0.32)
        }
        ellipse(95, 0.3, 0.07, 0, 0.58)
    }

    @Test func faceOverlay() throws {
        let path = try Self.image.get()
        let (rig, pictures) = try Self.run(
            25, width: 320, height: 240, { Self.face($0, x: 220, y: 130, radius: 50) },
            make: { context in
                let filter = FaceOverlayFilter(context, name: "filter")
                // A band across the upper half of the face.
                filter.setOverlayedImage(uri: path, at: .init(offsetX: 0, offsetY: 0, width: 1, height: 0.5))
                return filter
            })
        #expect(rig.troubles == [])
        let picture = try #require(pictures.last)
        let red = picture.planes.v[60 * picture.planes.strideUV + 100]
        #expect(red > 200, "the forehead is red: \(red)")
        #expect(picture.planes.v[80 * picture.planes.strideUV + 100] == 128, "the mouth is not")
        #expect(picture.planes.v[60 * picture.planes.strideUV + 20] == 128, "nor is the wall")
        try rig.on { context in
            let filter: FaceOverlayFilter = context.get("filter")
            filter.unsetOverlayedImage()
            #expect(filter.outputs[.video]?.origin === context.source().source(.video))
        }
    }

    @Test func noFaceNoImage() throws {
        let path = try Self.image.get()
        let (rig, pictures) = try Self.run(10, width: 320, height: 240) { context in
            let filter = FaceOverlayFilter(context, name: "filter")
            filter.setOverlayedImage(uri: path, at: .init(offsetX: 0, offsetY: 0, width: 1, height: 1))
            return filter
        }
        #expect(rig.troubles == [] && pictures.allSatisfy { $0.planes.v[0] == 128 && $0.luma(0.5, 0.5) == 100 })
    }
}
