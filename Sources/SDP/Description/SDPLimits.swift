/// How large a description from outside may be. Over a limit it is refused with an error that names the limit.
package enum SDPLimits {
    /// A browser's offer with audio, video and data has about 8 kB; with fifty video lines about 300 kB.
    package static let descriptionBytesMax = 512 * 1024
    /// The longest lines in use are identity assertions of some kB (RFC 8827).
    package static let lineBytesMax = 16 * 1024
    package static let linesMax = 16_384
    /// More than any conference puts into one session; keeps work that compares lines pairwise small.
    package static let mediaDescriptionsMax = 128
    /// The space of RTP payload types; other formats keep to it too.
    package static let formatsMax = 128
    /// Streams that one m-line's `a=simulcast` may name, alternatives included (RFC 8853 sets no bound).
    package static let ridsMax = 32
}
