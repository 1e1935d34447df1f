import Core
import FuzzTargets
import Glibc

/// The target that the environment names; libFuzzer calls us from one thread.
private let target: FuzzTarget = {
    let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = FuzzTarget.named(name) else { fatalError("there is no fuzz target '\(name)'") }
    return target
}()

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    if bytes.count <= target.sizeMax { target.run(bytes.bytes) }
    return 0
}
