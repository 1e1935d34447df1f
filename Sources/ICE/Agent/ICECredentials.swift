/// A user name fragment and password of one side of an ICE session (RFC 8445, section 5.3): 4–256 and 22–256
/// characters of letters, digits, `+` and `/`.
package struct ICECredentials: Hashable, Sendable {
    package var ufrag: String
    package var password: String
    package init(ufrag: String, password: String) {
        self.ufrag = ufrag
        self.password = password
    }
}
