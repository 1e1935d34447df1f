package import Core

/// Which pages may open a WebSocket, by their origin (RFC 6454). Programs that are no browsers send none and are not
/// kept out by this.
package struct AllowedOrigins: Sendable {
    private let origins: Set<String>

    /// None: pages of any origin.
    package init(_ origins: [String]) { self.origins = Set(origins.map { $0.lowercased() }) }

    /// nil where the request may pass.
    package func refusal(of request: HTTPRequest) -> HTTPResponse? {
        guard !origins.isEmpty, let origin = request.header("origin"), !origins.contains(origin.lowercased()) else {
            return nil
        }
        return .refusal(403, "Pages of \(shortened(printable(origin))) may not connect here.")
    }
}
