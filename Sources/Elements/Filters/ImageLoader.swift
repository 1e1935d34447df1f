import Core
import Files
import Graphics
import Media

/// Fetches images from files and addresses on threads that may block. One image that cannot be had never fails
/// anything: it is told, and the next one is awaited. Lives on the loop, owned by a filter.
final class ImageLoader {
    private unowned let element: Element
    private var running: [Int: (stage: Stage<String, Bitmap>, interrupt: Interrupt)] = [:]
    private var lastNumber = 0
    /// Bytes of an image file; larger ones are refused.
    private static let bytesMax = 32 << 20
    /// Images on their way at one time: more are refused.
    private static let loadsMax = 16

    init(_ element: Element) { self.element = element }

    /// Calls `done` with the image, some time later, or never.
    func load(_ uri: String, done: @escaping (Bitmap) -> Void) {
        guard running.count < ImageLoader.loadsMax else {
            return element.warn("“\(uri)” is not loaded: \(ImageLoader.loadsMax) images are on their way already")
        }
        let access = element.context.configuration.access
        let place = access.place(uri)
        let scheme = MediaAccess.scheme(of: place) ?? "file"
        let isFile = scheme == "file"
        let (context, host) = (element.context, element.context.host)
        let interrupt = isFile ? Interrupt() : Interrupt(now: { host.now() })
        lastNumber += 1
        let number = lastNumber
        let stage = Stage<String, Bitmap>(
            context, record: context.makeStageRecord(element: element, kind: .demux, detail: "image"),
            executor: isFile
                ? host.disk(for: place.hasPrefix("file://") ? String(place.dropFirst(7)) : place)
                : host.ioThread(named: "io-\(element.name)"),
            capacity: 1, policy: .dropNewest
        ) { ImageWork(bytesMax: ImageLoader.bytesMax, access: access, interrupt: interrupt) }
        stage.onOutput = { done($0) }
        stage.onError = { [unowned self] in element.fail(.resourceOpen, "the image “\(uri)” is not shown: \($0)") }
        stage.onProgress = { [unowned self] in running[number] = nil }
        running[number] = (stage, interrupt)
        stage.push(place)
    }

    func release() {
        for load in running.values {
            load.interrupt.cancel()
            load.stage.cancel()
        }
        running = [:]
    }
}

private final class ImageWork: StageWork {
    private let bytesMax: Int
    private let access: MediaAccess
    private let interrupt: Interrupt

    init(bytesMax: Int, access: MediaAccess, interrupt: Interrupt) {
        self.bytesMax = bytesMax
        self.access = access
        self.interrupt = interrupt
    }

    func process(_ place: String, emit: (Bitmap) -> Void) throws {
        let bytes = try FileBytes.read(place, bytesMax: bytesMax, access: access, interrupt: interrupt)
        emit(try ImageReader.read(bytes))
    }
}
