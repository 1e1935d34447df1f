/// A call into OpenSSL, libsrtp2 or usrsctp failed.
package struct TransportError: Error, Hashable, Sendable, CustomStringConvertible {
    package let call: String
    package let text: String
    package init(call: String, text: String) {
        self.call = call
        self.text = text
    }
    package var description: String { "\(call): \(text)" }
}
