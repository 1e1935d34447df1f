/// A session description was refused: what was wrong, in which line, and what is allowed.
package struct SDPError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Counted from 1; 0 where the description as a whole is meant.
    package let line: Int
    package let text: String
    package init(line: Int = 0, _ text: String) {
        self.line = line
        self.text = text
    }
    package var description: String { line > 0 ? "line \(line): \(text)" : text }
}
