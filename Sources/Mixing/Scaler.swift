import CScale
import CYUV

/// Scales pictures. Owned by one compositor; not thread-safe. Keeps tables and scratch memory; the pixels depend on
/// the source and the two sizes only, not on where either lies in memory nor on the machine.
///
/// Halves by libyuv's box filter while the picture is at least twice as large as wanted in both directions, then
/// filters the rest of the way (`ScalingFilter`). libyuv's own scaler at ratios between two and one takes two to three
/// times as long (0.16 ms for 640×360 to 426×240) and, with two taps, aliases.
final class Scaler {
    private struct Sizes: Hashable {
        let input: Int
        let output: Int
    }
    /// Tables are some kilobytes each; a conference uses a handful of sizes.
    private static let filtersMax = 128

    private var filters: [Sizes: ScalingFilter] = [:]
    private let scratch = Scratch()
    /// Each halving reads one and writes the other.
    private let halves = (even: Scratch(), odd: Scratch())

    /// Fills `target` with all of `source`.
    func scale(_ source: PictureView, to target: PictureView) {
        if source.width == target.width && source.height == target.height { return target.copy(source) }
        let (sourceSize, targetSize) = ((source.width, source.height), (target.width, target.height))
        scale(source.y, source.strideY, sourceSize, to: target.y, target.strideY, targetSize)
        let sourceChroma = (source.chromaWidth, source.chromaHeight)
        let targetChroma = (target.chromaWidth, target.chromaHeight)
        scale(source.u, source.strideUV, sourceChroma, to: target.u, target.strideUV, targetChroma)
        scale(source.v, source.strideUV, sourceChroma, to: target.v, target.strideUV, targetChroma)
    }

    private typealias Size = (width: Int, height: Int)

    private func scale(
        _ source: UnsafeMutablePointer<UInt8>, _ sourceStride: Int, _ sourceSize: Size,
        to target: UnsafeMutablePointer<UInt8>, _ targetStride: Int, _ targetSize: Size
    ) {
        var (plane, stride, size) = (source, sourceStride, sourceSize)
        var isOdd = false
        while size.width >= 2 * targetSize.width && size.height >= 2 * targetSize.height {
            let half = (width: size.width / 2, height: size.height / 2)
            let isLast = half == targetSize
            let halfStride = isLast ? targetStride : (half.width + 63) & ~63
            let memory = isOdd ? halves.odd : halves.even
            let output = isLast ? target : memory.bytes(halfStride * half.height + 64)
            box(plane, stride, (half.width * 2, half.height * 2), output, halfStride, half)
            if isLast { return }
            (plane, stride, size) = (output, halfStride, half)
            isOdd.toggle()
        }
        let ratio = max(
            Double(size.width) / Double(targetSize.width), Double(size.height) / Double(targetSize.height))
        guard ratio <= ScalingFilter.ratioMax, min(size.width, size.height) >= ScalingFilter.inputMin else {
            // A strip, or much narrower in one direction than in the other: rare, so libyuv's general way will do.
            return box(plane, stride, size, target, targetStride, targetSize)
        }
        let columns = filter(size.width, targetSize.width)
        let rows = filter(size.height, targetSize.height)
        let memory = scratch.bytes(cscale_scratch_bytes(Int32(targetSize.width)))
        columns.withAxis { columns in
            rows.withAxis { rows in
                cscale_plane(plane, stride, target, targetStride, columns, rows, memory)
            }
        }
    }

    private func box(
        _ source: UnsafeMutablePointer<UInt8>, _ sourceStride: Int, _ sourceSize: Size,
        _ target: UnsafeMutablePointer<UInt8>, _ targetStride: Int, _ targetSize: Size
    ) {
        ScalePlane(
            source, Int32(sourceStride), Int32(sourceSize.width), Int32(sourceSize.height), target,
            Int32(targetStride), Int32(targetSize.width), Int32(targetSize.height), kFilterBox)
    }

    private func filter(_ input: Int, _ output: Int) -> ScalingFilter {
        let sizes = Sizes(input: input, output: output)
        if let known = filters[sizes] { return known }
        if filters.count >= Scaler.filtersMax { filters = [:] }
        let filter = ScalingFilter(input: input, output: output)
        filters[sizes] = filter
        return filter
    }
}

/// Memory that grows to the largest size asked for; its content lasts until it is asked for again.
private final class Scratch {
    private var memory: UnsafeMutableRawPointer?
    private var count = 0

    func bytes(_ wanted: Int) -> UnsafeMutablePointer<UInt8> {
        if let memory, count >= wanted { return memory.assumingMemoryBound(to: UInt8.self) }
        memory?.deallocate()
        let fresh = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 64)
        (memory, count) = (fresh, wanted)
        return fresh.bindMemory(to: UInt8.self, capacity: wanted)
    }

    deinit { memory?.deallocate() }
}
