/// An ICE server that peers are told of: a `Link` header of RFC 9725, section 4.6.
package struct ICEServerLink: Hashable, Sendable {
    /// As in `stun:192.0.2.1:3478` or `turn:turn.example:3478?transport=tcp`.
    package var url: String
    package var username: String?
    package var credential: String?

    package init(url: String, username: String? = nil, credential: String? = nil) {
        self.url = url
        self.username = username
        self.credential = credential
    }

    package var header: String {
        var text = "<\(url)>; rel=\"ice-server\""
        if let username { text += "; username=\(ICEServerLink.quoted(username))" }
        if let credential {
            text += "; credential=\(ICEServerLink.quoted(credential)); credential-type=\"password\""
        }
        return text
    }

    /// A quoted string of HTTP (RFC 9110, section 5.6.4).
    private static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
