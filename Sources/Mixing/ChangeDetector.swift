import Glibc
import Media

/// Finds the 16×16 blocks in which two pictures of one size differ, by comparing every byte of the parts that may
/// differ. A block is given up at its first differing row, so pictures that differ much cost little.
struct ChangeDetector {
    let old: VideoFrame.Planes
    let new: VideoFrame.Planes
    private(set) var map: ChangeMap

    /// Nothing compared yet, no block marked.
    init(old: VideoFrame.Planes, new: VideoFrame.Planes) {
        self.old = old
        self.new = new
        map = ChangeMap(width: new.width, height: new.height)
        for index in map.blocks.indices { map.blocks[index] = 0 }
    }

    /// Marks the blocks that `rect` touches and that differ.
    mutating func compare(_ rect: PixelRect) {
        let columns = (rect.x / 16)..<((rect.right + 15) / 16)
        let rows = (rect.y / 16)..<((rect.bottom + 15) / 16)
        for row in rows {
            for column in columns where map.blocks[row * map.columns + column] == 0 {
                if differs(column: column, row: row) { map.blocks[row * map.columns + column] = 1 }
            }
        }
    }

    private func differs(column: Int, row: Int) -> Bool {
        let (x, y) = (column * 16, row * 16)
        let width = min(16, new.width - x)
        let height = min(16, new.height - y)
        let luma = y * new.strideY + x
        let chroma = y / 2 * new.strideUV + x / 2
        let (chromaWidth, chromaHeight) = ((width + 1) / 2, (height + 1) / 2)
        if width == 16 {
            return differs16(old.y + luma, new.y + luma, new.strideY, height)
                || differs8(old.u + chroma, new.u + chroma, new.strideUV, chromaHeight)
                || differs8(old.v + chroma, new.v + chroma, new.strideUV, chromaHeight)
        }
        // The right edge: bytes beyond it are padding, which means nothing.
        return differsNarrow(old.y + luma, new.y + luma, new.strideY, width, height)
            || differsNarrow(old.u + chroma, new.u + chroma, new.strideUV, chromaWidth, chromaHeight)
            || differsNarrow(old.v + chroma, new.v + chroma, new.strideUV, chromaWidth, chromaHeight)
    }
}

private typealias Bytes = UnsafeMutablePointer<UInt8>

private func differs16(_ a: Bytes, _ b: Bytes, _ stride: Int, _ rows: Int) -> Bool {
    let (a, b) = (UnsafeRawPointer(a), UnsafeRawPointer(b))
    for row in 0..<rows {
        let offset = row * stride
        // Two words at once: both planes are 64-byte aligned and the column is a multiple of 16.
        let first = a.load(fromByteOffset: offset, as: UInt64.self) ^ b.load(fromByteOffset: offset, as: UInt64.self)
        let second =
            a.load(fromByteOffset: offset + 8, as: UInt64.self) ^ b.load(fromByteOffset: offset + 8, as: UInt64.self)
        if first | second != 0 { return true }
    }
    return false
}

private func differs8(_ a: Bytes, _ b: Bytes, _ stride: Int, _ rows: Int) -> Bool {
    let (a, b) = (UnsafeRawPointer(a), UnsafeRawPointer(b))
    for row in 0..<rows {
        let offset = row * stride
        if a.load(fromByteOffset: offset, as: UInt64.self) != b.load(fromByteOffset: offset, as: UInt64.self) {
            return true
        }
    }
    return false
}

private func differsNarrow(_ a: Bytes, _ b: Bytes, _ stride: Int, _ width: Int, _ rows: Int) -> Bool {
    for row in 0..<rows where memcmp(a + row * stride, b + row * stride, width) != 0 { return true }
    return false
}
