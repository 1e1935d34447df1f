import Core
import ICE

/// A TURN server that keeps to the protocol's order: long-term credentials, permissions, channels. Not fast, not safe.
final class TestTURNServer {
    private final class Allocation {
        let relayed: SocketAddress
        let stream: Int?
        var permissions: Set<IPAddress> = []
        var channels: [UInt16: SocketAddress] = [:]
        init(_ relayed: SocketAddress, _ stream: Int?) {
            self.relayed = relayed
            self.stream = stream
        }
    }

    let address: SocketAddress
    private unowned let world: World
    private let key = STUNKey(username: "user", realm: "test", password: "secret")
    private var allocations: [SocketAddress: Allocation] = [:]
    private var nextPort: UInt16 = 50_000
    private var nonce = 1
    /// The error given to every Allocate that is well signed; nil: none.
    var refusal: (Int, String)?
    var lifetime: UInt32 = 600
    private(set) var indications = 0
    private(set) var channelMessages = 0
    var allocationCount: Int { allocations.count }

    init(_ address: String, in world: World) {
        self.address = SocketAddress(address) ?? SocketAddress(.anyV4, 0)
        self.world = world
    }

    /// From now on the nonces told before are stale.
    func renewNonce() { nonce += 1 }

    func owns(_ target: SocketAddress) -> Bool {
        target == address || (target.ip == address.ip && target.port >= 50_000)
    }

    private func reply(_ bytes: [UInt8], to client: SocketAddress, _ stream: Int?) {
        if let stream {
            world.write(bytes, stream, toServer: false)
        } else {
            world.datagram(bytes, from: address, to: client)
        }
    }

    func receive(_ bytes: [UInt8], from client: SocketAddress, stream: Int?) {
        guard let message = try? STUNMessage(bytes.span.bytes) else { return channelData(bytes, from: client) }
        if message.kind == .indication {
            guard let peer = message.peerAddress, let data = message.data, let own = allocations[client],
                own.permissions.contains(peer.ip)
            else { return }
            indications += 1
            return world.datagram(Array(bytes[data]), from: own.relayed, to: peer)
        }
        guard let told = message.nonce, message.isProtected(by: key, in: bytes.span.bytes) else {
            return refuse(message, 401, "Unauthorized", client, stream)
        }
        guard Array(bytes[told]) == Array("nonce\(nonce)".utf8) else {
            return refuse(message, 438, "Stale Nonce", client, stream)
        }
        var answer = STUNWriter(.success, message.method, message.id)
        switch message.method {
        case .allocate:
            if let refusal { return refuse(message, refusal.0, refusal.1, client, stream) }
            if allocations[client] == nil {
                allocations[client] = Allocation(SocketAddress(address.ip, nextPort), stream)
                nextPort += 1
            }
            answer.addAddress(.xorRelayedAddress, allocations[client]?.relayed ?? address)
            answer.addAddress(.xorMappedAddress, client)
            answer.add(.lifetime, u32: lifetime)
        case .refresh:
            if message.lifetime == 0 { allocations[client] = nil }
            answer.add(.lifetime, u32: message.lifetime == 0 ? 0 : lifetime)
        case .createPermission, .channelBind:
            guard let own = allocations[client], let peer = message.peerAddress else {
                return refuse(message, 437, "Allocation Mismatch", client, stream)
            }
            own.permissions.insert(peer.ip)
            if let number = message.channelNumber { own.channels[number] = peer }
        default: return
        }
        reply(answer.finish(key, fingerprint: false), to: client, stream)
    }

    private func refuse(
        _ message: STUNMessage, _ code: Int, _ reason: String, _ client: SocketAddress, _ stream: Int?
    ) {
        var answer = STUNWriter(.failure, message.method, message.id)
        answer.addError(code, reason)
        answer.add(.realm, "test")
        answer.add(.nonce, "nonce\(nonce)")
        reply(answer.finish(code == 401 || code == 438 ? nil : key, fingerprint: false), to: client, stream)
    }

    private func channelData(_ bytes: [UInt8], from client: SocketAddress) {
        guard bytes.count >= 4, let own = allocations[client],
            let peer = own.channels[UInt16(bytes[0]) << 8 | UInt16(bytes[1])]
        else { return }
        channelMessages += 1
        let count = Int(bytes[2]) << 8 | Int(bytes[3])
        world.datagram(Array(bytes[4..<(4 + count)]), from: own.relayed, to: peer)
    }

    /// A datagram to a relayed address.
    func relay(_ bytes: [UInt8], from peer: SocketAddress, to relayed: SocketAddress) {
        guard let (client, own) = allocations.first(where: { $0.value.relayed == relayed }),
            own.permissions.contains(peer.ip)
        else { return }
        if let channel = own.channels.first(where: { $0.value == peer })?.key {
            return reply(
                ICERoute(
                    path: NetworkPath(own.stream == nil ? .udp : .tcp, local: relayed, remote: peer),
                    relay: .channel(channel)
                ).wrap(bytes), to: client, own.stream)
        }
        var message = STUNWriter(.indication, .data, STUNTransactionID(tag: 0, 0))
        message.addAddress(.xorPeerAddress, peer)
        message.add(.data, bytes)
        reply(message.finish(fingerprint: false), to: client, own.stream)
    }
}
