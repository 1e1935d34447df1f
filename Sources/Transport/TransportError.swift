import COpenSSL

/// A call into OpenSSL, libsrtp2 or usrsctp failed.
package struct TransportError: Error, Hashable, Sendable, CustomStringConvertible {
    package let call: String
    package let text: String
    package init(call: String, text: String) {
        self.call = call
        self.text = text
    }
    package var description: String { "\(call): \(text)" }

    /// The oldest error OpenSSL noted on this thread; the others are forgotten.
    static func openSSL(_ call: String) -> TransportError {
        TransportError(call: call, text: openSSLText() ?? "no reason given")
    }

    static func openSSLText() -> String? {
        let code = ERR_get_error()
        ERR_clear_error()
        guard code != 0 else { return nil }
        if let reason = ERR_reason_error_string(code) { return String(cString: reason) }
        return "error \(code)"
    }
}
