// What the sound of participants on bad lines costs and how it sounds.
//   swift run -c release bench-sound                   tables: delay, concealment, purity of a tone, CPU
//   swift run -c release bench-sound decoders          libopus's plain decoder against its multistream one
//   swift run -c release bench-sound speech IN OUT LOSS FEC JITTER SEED
//                                                      48 kHz s16 mono files through Opus and a line (speech.py)
import Codecs
import Core
import Glibc
import Media
import TestKit

let words = Array(CommandLine.arguments.dropFirst())
switch words.first {
case nil: Tables.run()
case "decoders": DecoderCosts.run()
case "speech" where words.count == 7:
    try Speech.run(
        input: words[1], output: words[2], loss: Double(words[3]) ?? 0, fec: words[4] == "fec",
        jitter: Int(words[5]) ?? 0, seed: UInt64(words[6]) ?? 1)
default:
    print("usage: bench-sound [decoders | speech IN OUT LOSS fec|plain JITTER SEED]")
    exit(2)
}
