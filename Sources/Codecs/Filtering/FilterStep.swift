/// One filter of libavfilter with its options. A plain value.
package struct FilterStep: Hashable, Sendable {
    package struct Option: Hashable, Sendable {
        package let name: String
        package let value: String
        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }
    /// libavfilter's name of it.
    package let filter: String
    package let options: [Option]

    /// Options in the order given; values go to libavfilter as they are and need no quoting.
    package init(_ filter: String, _ options: KeyValuePairs<String, String> = [:]) {
        self.filter = filter
        self.options = options.map { Option($0.key, $0.value) }
    }
}
