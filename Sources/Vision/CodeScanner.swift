import CZBar
package import Media

/// A code that was seen: its kind in zbar's words (`QR-Code`, `EAN-13`), and what it says.
package struct FoundCode: Hashable, Sendable {
    package let type: String
    package let value: String
}

/// Reads bar codes and QR codes in pictures. Owned by one stage; not thread-safe.
package final class CodeScanner {
    private let scanner: OpaquePointer
    private let image: OpaquePointer
    /// Codes of one picture at most.
    private static let codesMax = 64

    package init() {
        guard let scanner = zbar_image_scanner_create(), let image = zbar_image_create() else {
            fatalError("out of memory: a scanner of libzbar")
        }
        self.scanner = scanner
        self.image = image
        // Its default kinds: with all of them, an EAN-13 code of a book would be called ISBN-13.
        zbar_image_set_format(image, czbar_grey())
    }

    deinit {
        zbar_image_destroy(image)
        zbar_image_scanner_destroy(scanner)
    }

    /// What is to be read in the picture, each code once.
    package func scan(_ picture: VideoFrame) -> [FoundCode] {
        let (planes, width, height) = (picture.planes, picture.width, picture.height)
        // libzbar wants rows without padding.
        var rows = [UInt8](repeating: 0, count: width * height)
        return rows.withUnsafeMutableBufferPointer { rows in
            guard let start = rows.baseAddress else { return [] }
            for row in 0..<height { (start + row * width).update(from: planes.y + row * planes.strideY, count: width) }
            zbar_image_set_size(image, UInt32(width), UInt32(height))
            zbar_image_set_data(image, start, UInt(rows.count), nil)
            defer { zbar_image_set_data(image, nil, 0, nil) }
            guard zbar_scan_image(scanner, image) > 0 else { return [] }
            var found: [FoundCode] = []
            var symbol = zbar_image_first_symbol(image)
            while let current = symbol, found.count < CodeScanner.codesMax {
                if let code = CodeScanner.code(current), !found.contains(code) { found.append(code) }
                symbol = zbar_symbol_next(current)
            }
            return found
        }
    }

    private static func code(_ symbol: OpaquePointer) -> FoundCode? {
        guard let type = zbar_get_symbol_name(zbar_symbol_get_type(symbol)), let data = zbar_symbol_get_data(symbol)
        else { return nil }
        let bytes = UnsafeRawBufferPointer(start: data, count: Int(zbar_symbol_get_data_length(symbol)))
        return FoundCode(type: String(cString: type), value: String(decoding: bytes, as: UTF8.self))
    }
}
