import CAllocations
import Core
import Glibc
import Transport

/// The library's part of a packet: 1200 bytes, protected and unprotected.
func measureSRTP() throws {
    print("\n### SRTP alone (libsrtp2), 1200-byte packets\n")
    row("profile", "protect, ns", "allocations", "unprotect, ns", "allocations")
    row("---", "--:", "--:", "--:", "--:")
    for profile in [SRTPProfile.aeadAES128GCM, .aeadAES256GCM, .aes128CMSHA1_80] {
        let bytes = [UInt8](repeating: 7, count: profile.keyCount + profile.saltCount)
        guard let key = SRTPKey(profile, bytes) else { continue }
        let (sender, receiver) = (SRTPContext(), SRTPContext())
        try sender.install(sending: key, receiving: key)
        try receiver.install(sending: key, receiving: key)
        let count = isQuick ? 20_000 : 100_000
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1500, alignment: 8)
        defer { buffer.deallocate() }
        var (protecting, unprotecting) = ((0.0, 0), (0.0, 0))
        for number in 0..<count {
            for index in 0..<1200 { buffer[index] = 7 }
            buffer[0] = 0x80
            buffer[1] = 96
            buffer.storeBytes(of: UInt16(truncatingIfNeeded: number).bigEndian, toByteOffset: 2, as: UInt16.self)
            let (a, allocated) = (wallTime(), Int(callocations_of_thread()))
            let size = try sender.protectRTP(buffer, count: 1200)
            let (b, between) = (wallTime(), Int(callocations_of_thread()))
            _ = try receiver.unprotectRTP(UnsafeMutableRawBufferPointer(rebasing: buffer[..<size]))
            let (c, end) = (wallTime(), Int(callocations_of_thread()))
            guard number > 1000 else { continue }
            protecting = (protecting.0 + b - a, protecting.1 + between - allocated)
            unprotecting = (unprotecting.0 + c - b, unprotecting.1 + end - between)
        }
        let each = { (value: Double) in value / Double(count - 1001) }
        // Reading the clock is in it: some 25 ns.
        row(
            profile.rawValue, fixed(1e9 * each(protecting.0), 0), fixed(each(Double(protecting.1)), 2),
            fixed(1e9 * each(unprotecting.0), 0), fixed(each(Double(unprotecting.1)), 2))
    }
}
