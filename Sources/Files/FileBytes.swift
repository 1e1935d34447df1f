import CFFmpeg
package import Core

/// Reads whole small files: images and the like.
package enum FileBytes {
    /// Everything that a file or URL holds, on the calling thread, which may block.
    ///
    /// - Parameters:
    ///   - bytesMax: more is refused, so that no address can fill the memory.
    ///   - schemes: what the address may begin with; none means `file`.
    ///   - access: which places may be read at all.
    ///   - interrupt: ends the call from outside.
    package static func read(
        _ url: String, bytesMax: Int, schemes: Set<String> = ["file", "http", "https"],
        access: MediaAccess = .everything, interrupt: Interrupt
    ) throws(FileError) -> [UInt8] {
        Library.prepare
        var access = access
        access.readableSchemes.formIntersection(schemes)
        // What stands before a path was put there by who calls.
        access.defaultPath = nil
        let location = try access.location(url, for: .reading)
        if let path = location.path { try Location.checkReadable(path) }
        interrupt.allow(.seconds(30))
        var callback = interrupt.callback
        var options: OpaquePointer?
        defer { av_dict_free(&options) }
        let protocols = location.isFile ? "file" : Library.networkProtocols(scheme: location.scheme)
        av_dict_set(&options, "protocol_whitelist", protocols, 0)
        var context: UnsafeMutablePointer<AVIOContext>?
        let code = avio_open2(&context, location.library, AVIO_FLAG_READ, &callback, &options)
        guard code >= 0, let context else {
            throw FileError(code: code, location: location, call: "avio_open2", interrupt: interrupt)
        }
        defer {
            var context = Optional(context)
            avio_closep(&context)
        }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = avio_read_partial(context, &block, Int32(block.count))
            if count == cffmpeg_error_end || count == 0 { return bytes }
            guard count > 0 else {
                throw FileError(code: count, location: location, call: "avio_read", interrupt: interrupt)
            }
            bytes += block.prefix(Int(count))
            guard bytes.count <= bytesMax else {
                throw .refused(url: location.name, reason: "it holds more than \(bytesMax >> 20) MiB")
            }
        }
    }
}
