import Core
import Vision

/// Follows faces between the looks of a detector, and smooths what the detector says, which trembles. A plain value:
/// boxes and times in, boxes out.
struct FaceTracker {
    private struct Face {
        /// As it is shown.
        var shown: FaceBox
        /// As it was last seen.
        var seen: FaceBox
        var seenAt: MediaTime
        var shownAt: MediaTime
    }
    private var faces: [Face] = []
    private var nextLook = MediaTime.distantPast
    /// Between two looks: the detector costs some milliseconds.
    static let lookInterval = MediaTime.milliseconds(120)
    /// A face that is not seen for so long has gone; the detector overlooks one now and then.
    static let patience = MediaTime.milliseconds(600)
    /// In which the distance to where a face was seen becomes a third.
    private static let settling = 0.08

    func isLookDue(at time: MediaTime) -> Bool { time >= nextLook || nextLook - time > .seconds(1) }

    mutating func saw(_ boxes: [FaceBox], at time: MediaTime) {
        nextLook = time + FaceTracker.lookInterval
        var free = faces
        faces = boxes.map { box in
            let match = free.firstIndex { FaceTracker.isSame($0.seen, box) }
            var face = match.map { free.remove(at: $0) } ?? Face(shown: box, seen: box, seenAt: time, shownAt: time)
            face.seen = box
            face.seenAt = time
            return face
        }
        faces += free.filter { time >= $0.seenAt && time - $0.seenAt < FaceTracker.patience }
    }

    /// The boxes to draw at `time`.
    mutating func faces(at time: MediaTime) -> [FaceBox] {
        for index in faces.indices {
            let passed = max(0, (time - faces[index].shownAt).seconds)
            let share = min(1, passed / FaceTracker.settling * (2.0 / 3))
            func towards(_ path: WritableKeyPath<FaceBox, Double>) {
                let (from, to) = (faces[index].shown[keyPath: path], faces[index].seen[keyPath: path])
                faces[index].shown[keyPath: path] = from + (to - from) * share
            }
            for path in [\FaceBox.x, \FaceBox.y, \FaceBox.width, \FaceBox.height] { towards(path) }
            faces[index].shownAt = time
        }
        return faces.map(\.shown)
    }

    /// The middles are closer than half a face.
    private static func isSame(_ a: FaceBox, _ b: FaceBox) -> Bool {
        let (width, height) = (max(a.width, b.width), max(a.height, b.height))
        return abs(a.x + a.width / 2 - b.x - b.width / 2) < width / 2
            && abs(a.y + a.height / 2 - b.y - b.height / 2) < height / 2
    }
}
