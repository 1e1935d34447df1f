import COpenCV
package import Media

/// A part of a picture in fractions of its width and height, origin top left.
package struct FaceBox: Hashable, Sendable {
    package var x: Double
    package var y: Double
    package var width: Double
    package var height: Double
    package init(x: Double, y: Double, width: Double, height: Double) {
        self.x = x
        self.y = y
        self.width = width
        self.height = height
    }
}

/// Finds faces that look at the camera, with OpenCV's cascade. Owned by one stage; not thread-safe.
package final class FaceDetector {
    /// Where Debian's package opencv-data puts it.
    package static let cascade = "/usr/share/opencv4/haarcascades/haarcascade_frontalface_alt2.xml"
    /// Pictures are looked at in this width at most: a face of an eighth of it is still found.
    private static let widthMax = 320
    /// Side of the smallest face, in fractions of the picture's smaller side.
    private static let faceMin = 0.1
    private static let facesMax = 16
    private let detector: OpaquePointer

    /// Nil where the cascade cannot be read.
    package init?(cascade: String = FaceDetector.cascade) {
        guard let detector = copencv_detector_make(cascade) else { return nil }
        self.detector = detector
    }

    deinit { copencv_detector_free(detector) }

    /// Boxes around the faces, the largest first.
    package func find(in picture: VideoFrame) -> [FaceBox] {
        let step = max(1, (picture.width + FaceDetector.widthMax - 1) / FaceDetector.widthMax)
        let (width, height) = (picture.width / step, picture.height / step)
        guard width >= 24, height >= 24 else { return [] }
        let small = reduced(picture.planes, step, width, height)
        var boxes = [copencv_box](repeating: copencv_box(), count: FaceDetector.facesMax)
        let side = max(24, Int(Double(min(width, height)) * FaceDetector.faceMin))
        let count = copencv_find(
            detector, small, Int32(width), Int32(height), Int32(width), Int32(side), &boxes, Int32(boxes.count))
        let (wide, high) = (Double(width), Double(height))
        var faces: [FaceBox] = []
        for box in boxes.prefix(Int(max(0, count))) {
            let (x, y) = (Double(box.x) / wide, Double(box.y) / high)
            faces.append(FaceBox(x: x, y: y, width: Double(box.width) / wide, height: Double(box.height) / high))
        }
        return faces.sorted { $0.width > $1.width }
    }

    /// Brightness, each pixel the mean of `step` × `step`.
    private func reduced(_ planes: VideoFrame.Planes, _ step: Int, _ width: Int, _ height: Int) -> [UInt8] {
        var small = [UInt8](repeating: 0, count: width * height)
        let area = step * step
        for row in 0..<height {
            for column in 0..<width {
                var sum = 0
                for line in 0..<step {
                    let offset = (row * step + line) * planes.strideY + column * step
                    let start: UnsafeMutablePointer<UInt8> = planes.y + offset
                    for place in 0..<step { sum += Int(start[place]) }
                }
                small[row * width + column] = UInt8(truncatingIfNeeded: sum / area)
            }
        }
        return small
    }
}
