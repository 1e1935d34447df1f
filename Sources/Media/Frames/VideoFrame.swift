package import Core
import Glibc
import Synchronization

/// A decoded picture: planar YUV 4:2:0, 8 bits, limited range, BT.601. Immutable once made, shared by reference.
///
/// Every decoder converts to this one layout, so nothing behind it asks about pixel formats. Planes start on 64-byte
/// boundaries and rows are padded to multiples of 64 bytes. Chroma planes are ⌈width/2⌉ × ⌈height/2⌉.
/// The memory returns to its pool with the last reference.
package final class VideoFrame: @unchecked Sendable {
    // Sendable: planes are written only by the closure given to `init`, before anybody else can see the frame.
    /// Size in pixels, display orientation.
    package let width: Int
    package let height: Int
    /// Width of a pixel divided by its height.
    package let pixelAspect: Rational
    /// When the picture is due.
    package let pts: MediaTime
    /// What a compositor knows about the difference to the picture before it; nil from every other source.
    package let changes: PictureChanges?
    /// Names the pixels: equal in all frames that show the same drawn picture, never used again for another one in
    /// this process. So whoever remembers what it drew need not keep the picture alive. Good for equality only.
    package let contentID: UInt64
    private let buffer: PictureBuffer

    /// The planes of a picture while it is written.
    package struct Planes {
        package let y: UnsafeMutablePointer<UInt8>
        package let u: UnsafeMutablePointer<UInt8>
        package let v: UnsafeMutablePointer<UInt8>
        /// Bytes from one row to the next.
        package let strideY: Int
        package let strideUV: Int
        package let width: Int
        package let height: Int
        package var chromaWidth: Int { (width + 1) / 2 }
        package var chromaHeight: Int { (height + 1) / 2 }

        /// Planes that lie in memory of whoever makes this, valid as long as that is.
        package init(
            y: UnsafeMutablePointer<UInt8>, u: UnsafeMutablePointer<UInt8>, v: UnsafeMutablePointer<UInt8>,
            strideY: Int, strideUV: Int, width: Int, height: Int
        ) {
            self.y = y
            self.u = u
            self.v = v
            self.strideY = strideY
            self.strideUV = strideUV
            self.width = width
            self.height = height
        }
    }

    /// Takes a buffer of the size from `pool` and lets `draw` write every pixel of it; its old content is undefined.
    package init<Failure: Error>(
        width: Int, height: Int, pts: MediaTime, pixelAspect: Rational = Rational(1, 1), pool: FramePool,
        draw: (Planes) throws(Failure) -> Void
    ) throws(Failure) {
        let buffer = pool.picture(width: width, height: height)
        try draw(buffer.planes)
        self.buffer = buffer
        planes = buffer.planes
        buffer.lend()
        contentID = nextContentID()
        changes = nil
        self.width = width
        self.height = height
        self.pts = pts
        self.pixelAspect = pixelAspect
    }

    /// The upper left `width` × `height` pixels of a buffer that a decoder has written in place. The decoder may go
    /// on reading it as a reference, but must not write it again while this frame lives.
    package init(buffer: PictureBuffer, width: Int, height: Int, pts: MediaTime, pixelAspect: Rational) {
        let whole = buffer.planes
        precondition(
            (1...whole.width).contains(width) && (1...whole.height).contains(height), "a part of the buffer is shown")
        planes = Planes(
            y: whole.y, u: whole.u, v: whole.v, strideY: whole.strideY, strideUV: whole.strideUV, width: width,
            height: height)
        self.buffer = buffer
        buffer.lend()
        contentID = nextContentID()
        changes = nil
        self.width = width
        self.height = height
        self.pts = pts
        self.pixelAspect = pixelAspect
    }

    /// The same picture (shared memory) due at another time; `changes` if its maker knows them anew.
    package init(_ other: VideoFrame, pts: MediaTime, changes: PictureChanges? = nil) {
        buffer = other.buffer
        planes = other.planes
        buffer.lend()
        contentID = other.contentID
        self.changes = changes
        width = other.width
        height = other.height
        pixelAspect = other.pixelAspect
        self.pts = pts
    }

    /// A picture over memory that its owner (the compositor's ring) has written and will not write again while this
    /// frame lives.
    package init(buffer: PictureBuffer, pts: MediaTime, changes: PictureChanges?) {
        self.buffer = buffer
        planes = buffer.planes
        buffer.lend()
        contentID = nextContentID()
        self.changes = changes
        self.pts = pts
        width = buffer.planes.width
        height = buffer.planes.height
        pixelAspect = Rational(1, 1)
    }

    deinit { buffer.endLoan() }

    /// Read access to the planes; the pointers are valid while the frame lives. They must not be written through.
    package let planes: Planes

    /// Whether both frames show the very same memory (a repeated picture), compared without reading pixels.
    package func sharesPixels(with other: VideoFrame) -> Bool { contentID == other.contentID }

    /// Bytes of pixel memory held.
    package var byteCount: Int { buffer.byteCount }
}

/// How a picture differs from the one its source made just before. Valid for an encoder only if it saw that one:
/// it compares `sequence` with the last it encoded, and takes everything as changed after a gap.
package struct PictureChanges: Hashable, Sendable {
    /// Number of the picture; rises by one with each picture of the source.
    package let sequence: UInt64
    package let map: ChangeMap
    package init(sequence: UInt64, map: ChangeMap) {
        self.sequence = sequence
        self.map = map
    }
}

/// Process-wide count of pictures drawn.
private let contentCount = Atomic<UInt64>(0)
private func nextContentID() -> UInt64 { contentCount.wrappingAdd(1, ordering: .relaxed).newValue }

/// Picture memory on loan from a `FramePool`.
package final class PictureBuffer: @unchecked Sendable {
    // Sendable: plain memory; `VideoFrame` and the compositor's ring decide who writes and when (`isLent`).
    package let planes: VideoFrame.Planes
    package let byteCount: Int
    private let memory: UnsafeMutableRawPointer
    private weak var pool: FramePool?
    private let loans = Atomic<Int>(0)

    /// Whether a frame shows this memory. Once false, everything its readers did has happened before (their release
    /// pairs with this acquire), so an owner that has not handed it out since may write it again. A reference count
    /// would say the same, but neither its documentation nor ThreadSanitizer promises that order.
    package var isLent: Bool { loans.load(ordering: .acquiring) > 0 }
    fileprivate func lend() { loans.wrappingAdd(1, ordering: .relaxed) }
    fileprivate func endLoan() { loans.wrappingSubtract(1, ordering: .releasing) }

    fileprivate init(width: Int, height: Int, memory: UnsafeMutableRawPointer, byteCount: Int, pool: FramePool) {
        let layout = PictureLayout(width: width, height: height)
        let y = memory.assumingMemoryBound(to: UInt8.self)
        planes = VideoFrame.Planes(
            y: y, u: y + layout.offsetU, v: y + layout.offsetV, strideY: layout.strideY, strideUV: layout.strideUV,
            width: width, height: height)
        self.memory = memory
        self.byteCount = byteCount
        self.pool = pool
    }

    deinit {
        if let pool { pool.giveBack(memory, byteCount: byteCount) } else { free(memory) }
    }
}

/// Where the planes of a picture of a given size lie in one block of memory.
private struct PictureLayout {
    let strideY: Int
    let strideUV: Int
    let offsetU: Int
    let offsetV: Int
    let byteCount: Int

    init(width: Int, height: Int) {
        precondition(width > 0 && height > 0, "a picture has at least one pixel")
        func aligned(_ value: Int) -> Int { (value + 63) & ~63 }
        strideY = aligned(width)
        strideUV = aligned((width + 1) / 2)
        let chromaRows = (height + 1) / 2
        offsetU = strideY * height
        offsetV = offsetU + strideUV * chromaRows
        byteCount = offsetV + strideUV * chromaRows + 64
    }
}

/// Recycles picture memory, so that steady state allocates nothing. Thread-safe; shared by a whole process or test.
package final class FramePool: Sendable {
    private struct State {
        var free: [Int: [Block]] = [:]
        var freeBytes = 0
        var liveBytes = 0
        var liveBytesPeak = 0
    }
    // Sendable: an address; who has taken the block out of the pool has it alone.
    private struct Block: @unchecked Sendable { let memory: UnsafeMutableRawPointer }

    private let state = Lock(State())
    /// Idle memory kept for reuse, in bytes; what is given back beyond it goes to the system.
    private let keepBytesMax: Int

    package init(keepBytesMax: Int = 64 << 20) { self.keepBytesMax = keepBytesMax }

    deinit {
        state.withLock { state in
            for block in state.free.values.joined() { Glibc.free(block.memory) }
            state.free = [:]
        }
    }

    /// Picture memory of the given size in pixels; content undefined.
    package func picture(width: Int, height: Int) -> PictureBuffer {
        let byteCount = PictureLayout(width: width, height: height).byteCount
        let recycled = state.withLock { state -> Block? in
            state.liveBytes += byteCount
            state.liveBytesPeak = max(state.liveBytesPeak, state.liveBytes)
            guard let block = state.free[byteCount]?.popLast() else { return nil }
            state.freeBytes -= byteCount
            return block
        }
        if let recycled {
            return PictureBuffer(
                width: width, height: height, memory: recycled.memory, byteCount: byteCount, pool: self)
        }
        var memory: UnsafeMutableRawPointer?
        guard posix_memalign(&memory, 64, byteCount) == 0, let memory else {
            fatalError("out of memory: a picture of \(width)×\(height) pixels")
        }
        return PictureBuffer(width: width, height: height, memory: memory, byteCount: byteCount, pool: self)
    }

    fileprivate func giveBack(_ memory: UnsafeMutableRawPointer, byteCount: Int) {
        let block = Block(memory: memory)
        let surplus = state.withLock { state -> Block? in
            state.liveBytes -= byteCount
            guard state.freeBytes + byteCount <= keepBytesMax else { return block }
            state.free[byteCount, default: []].append(block)
            state.freeBytes += byteCount
            return nil
        }
        if let surplus { Glibc.free(surplus.memory) }
    }

    /// Bytes of picture memory in use now, and the most there ever were.
    package var liveBytes: (now: Int, peak: Int) { state.withLock { ($0.liveBytes, $0.liveBytesPeak) } }
}
