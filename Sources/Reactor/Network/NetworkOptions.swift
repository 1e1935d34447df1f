import CLinux
package import Core

/// How the loops' sockets are set up. A value; the defaults suit a server on a network of its own.
package struct NetworkOptions: Sendable {
    /// The kernel's buffers of each UDP socket, asked for: about 100 ms of 300 Mbit/s. Without the right to go beyond
    /// the system's limit (`net.core.rmem_max`) the kernel gives less.
    package var socketBufferBytes = 4 << 20
    /// Differentiated services code point (RFC 2474) of everything sent: 0 best effort, 34 and 46 as in RFC 8837.
    package var dscp = 0
    /// The ports for sockets opened with port 0 and no range of their own; nil: the system's.
    package var ports: PortRange?
    /// Several loops may open the same UDP port; the kernel spreads peers over them.
    package var sharesPorts = false
    /// Lets the kernel cut runs of equal packets to one peer (UDP_SEGMENT): fewer passes through its layers.
    package var segments = true
    /// Only these interfaces are offered by `interfaceAddresses`; empty: all.
    package var allowedInterfaces: [String] = []
    /// These are not.
    package var ignoredInterfaces: [String] = []
    /// TCP connections of one set at a time, those being made included.
    package var connectionsMax = 4096
    /// What may wait to be written to one TCP connection: two seconds of 2 Mbit/s.
    package var connectionQueueBytesMax = 512 << 10
    /// A TCP connection on which nothing was received or sent for so long is closed.
    package var connectionIdleMax = MediaTime.seconds(120)
    /// A name that has not been found by then is not there.
    package var resolveTimeout = MediaTime.seconds(5)
    /// Where names ending in `.local` are asked for (RFC 6762, section 3).
    package var multicastGroups: [SocketAddress] = [
        SocketAddress(IPAddress(v4: 0xE000_00FB), 5353), SocketAddress(IPAddress(0xFF02_0000_0000_0000, 0xFB), 5353),
    ]

    package init() {}

    /// A list of interfaces as people write it: names between commas.
    package static func interfaces(_ list: String) -> [String] {
        list.split(separator: ",").map { part in
            String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }.filter { !$0.isEmpty }
    }

    func offers(interface name: String) -> Bool {
        !ignoredInterfaces.contains(name) && (allowedInterfaces.isEmpty || allowedInterfaces.contains(name))
    }

    var socketOptions: clinux_socket_options {
        clinux_socket_options(
            buffer_bytes: Int32(clamping: socketBufferBytes), dscp: Int32(clamping: dscp),
            shares_port: sharesPorts ? 1 : 0)
    }
}

extension clinux_address {
    init(_ address: SocketAddress, scope: UInt32 = 0) {
        self.init(high: address.ip.high, low: address.ip.low, scope: scope, port: address.port)
    }
    var socketAddress: SocketAddress { SocketAddress(IPAddress(high, low), port) }
}

extension NetworkError {
    /// What the system said about an operation, in its words.
    init(_ operation: String, code: Int32) { self.init("\(operation): \(systemErrorText(code))") }
}
