import Codecs
import Core
import ICE
import SDP
import Transport

extension FuzzTarget {
    /// What peers say to make and keep a connection, and the sound receiver.
    static let connection: [FuzzTarget] = [
        FuzzTarget("stun") { ICEFuzz.stun($0.array) },
        FuzzTarget("ice-candidate", sizeMax: 512) { ICEFuzz.candidate($0.array) },
        FuzzTarget("stream-framer") { ICEFuzz.framing($0.array) },
        FuzzTarget("turn") { ICEFuzz.turn($0.array) },
        FuzzTarget("ice-agent", sizeMax: 4096) { ICEFuzz.agent($0.array) },
        FuzzTarget("dtls", sizeMax: 4096) { TransportFuzz.dtls($0.array) },
        FuzzTarget("sctp", sizeMax: 4096) { TransportFuzz.sctp($0.array) },
        FuzzTarget("data-channels", sizeMax: 4096) { TransportFuzz.dataChannels($0.array) },
        FuzzTarget("sdes-keys", sizeMax: 512) { TransportFuzz.keysInText($0.array) },
        FuzzTarget("sdp", sizeMax: 16_384) { SDPFuzz.run($0) },
        FuzzTarget("sound-receiver", sizeMax: 4096) { SoundFuzz.run($0.array) },
    ]
}

extension RawSpan {
    fileprivate var array: [UInt8] { withUnsafeBytes { [UInt8]($0) } }
}
