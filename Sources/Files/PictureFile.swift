import Core

/// Writes coded still pictures one after the other into a file, or uploads them: of JPEG pictures, a file that shows
/// its first picture where a picture is wanted, and all of them as Motion JPEG where a film is. Every call may block;
/// the object belongs to one I/O thread. Whole pictures survive `kill -9`.
package final class PictureFile {
    private let file: OutputFile
    package private(set) var count = 0
    private let name: String

    /// Creates the file; an old one is overwritten.
    package init(
        url: String, contentType: String, options: Muxer.Options = Muxer.Options(), interrupt: Interrupt = Interrupt()
    ) throws(FileError) {
        let location = try options.location(url)
        name = location.name
        if options.createsFolders, let path = location.path { try OutputFile.createFolders(for: path) }
        file = try OutputFile(
            location, upload: .init(method: options.uploadMethod, contentType: contentType), interrupt: interrupt,
            timeout: options.timeout)
    }

    /// Appends a picture and pushes it to the kernel.
    package func append(_ bytes: [UInt8]) throws(FileError) {
        file.write(bytes)
        try file.flush()
        count += 1
    }

    /// Closes the file; one without a picture is removed and `.nothingRecorded` thrown.
    package func finish() throws(FileError) {
        if count == 0 { file.remove() }
        try file.close()
        if count == 0 { throw .nothingRecorded(path: name) }
    }
}
