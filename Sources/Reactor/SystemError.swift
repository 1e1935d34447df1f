import CLinux

/// The system's words for an error number of either sign. (`strerror` keeps its words in one place for all threads.)
func systemErrorText(_ code: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 128)
    clinux_error_text(Int32(clamping: code.magnitude), &buffer, Int32(buffer.count))
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
