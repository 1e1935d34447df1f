/// What one packet's payload says about itself and its frame, without any state.
package struct PayloadInfo: Hashable, Sendable {
    /// Whether a frame begins with this packet.
    package enum FrameStart: Hashable, Sendable {
        /// It does not: something before is needed.
        case no
        /// A unit of the codec begins here, and the format does not say more (H264, H265, AV1): it is the frame's first
        /// packet if the one before it in the sequence belongs to another frame.
        case possible
        /// The format says that it does (VP8, VP9).
        case yes
    }
    package var start: FrameStart
    /// The marker: last packet of its frame.
    package var isEnd: Bool
    /// The packet shows that its frame is a key frame. False in later packets of one.
    package var isKey = false
    /// Nothing refers to the frame: it may be left out (VP8's N bit).
    package var isDiscardable = false
    package var temporalLayer: UInt8 = 0
    package var spatialLayer: UInt8 = 0
    /// The frame needs nothing of higher temporal layers before it, so one may go up here (Y of VP8, U of VP9).
    package var isLayerSync = false
    /// 7 or 15 bits, as `hasLongPictureID` says.
    package var pictureID: UInt16?
    package var hasLongPictureID = false
    /// Counts the frames of temporal layer 0 (TL0PICIDX).
    package var tl0PictureIndex: UInt8?
    /// Where the codec's bytes lie in the payload: behind the descriptor.
    package var media: Range<Int>

    package init(start: FrameStart, isEnd: Bool, media: Range<Int>) {
        self.start = start
        self.isEnd = isEnd
        self.media = media
    }
}

/// One packet of a frame that is put together. The memory is the caller's and is read during the call only.
package struct FramePacket {
    /// The RTP payload: behind the header, without padding.
    package var payload: UnsafeRawBufferPointer
    package var info: PayloadInfo

    package init(payload: UnsafeRawBufferPointer, info: PayloadInfo) {
        self.payload = payload
        self.info = info
    }
}
