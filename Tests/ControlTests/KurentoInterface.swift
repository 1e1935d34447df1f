/// What Kurento's three modules declare: names, order, defaults, access. One line each, in our own notation; a line that
/// ends in a backslash goes on in the next.
enum KurentoInterface {
    static let text = #"""
        class MediaObject core - abstract
        MediaObject final mediaPipeline:MediaPipeline
        MediaObject final parent:MediaObject
        MediaObject final id:String
        MediaObject ro children:MediaObject[]
        MediaObject rw name:String
        MediaObject rw sendTagsInEvents:boolean
        MediaObject final creationTime:int
        MediaObject call addTag - key:String value:String
        MediaObject call removeTag - key:String
        MediaObject call getTag String key:String
        MediaObject call getTags Tag[]
        MediaObject event Error
        class ServerManager core MediaObject abstract
        ServerManager ro info:ServerInfo
        ServerManager ro pipelines:MediaPipeline[]
        ServerManager ro sessions:String[]
        ServerManager ro metadata:String
        ServerManager call getKmd String moduleName:String
        ServerManager call getCpuCount int
        ServerManager call getUsedCpu float interval:int
        ServerManager call getUsedMemory int64
        ServerManager event ObjectCreated
        ServerManager event ObjectDestroyed
        class SessionEndpoint core Endpoint abstract
        SessionEndpoint event MediaSessionTerminated
        SessionEndpoint event MediaSessionStarted
        class Hub core MediaObject abstract
        Hub call getGstreamerDot String details:GstreamerDotDetails?
        Hub call dumpGstreamerDot - details:GstreamerDotDetails?
        class Filter core MediaElement abstract
        class Endpoint core MediaElement abstract
        class HubPort core MediaElement
        HubPort new hub:Hub
        class PassThrough core MediaElement
        PassThrough new mediaPipeline:MediaPipeline
        class UriEndpoint core Endpoint abstract
        UriEndpoint final uri:String
        UriEndpoint ro state:UriEndpointState
        UriEndpoint call pause -
        UriEndpoint call stop -
        UriEndpoint event UriEndpointStateChanged
        class MediaPipeline core MediaObject
        MediaPipeline new
        MediaPipeline rw latencyStats:boolean
        MediaPipeline call getGstreamerDot String details:GstreamerDotDetails?
        MediaPipeline call dumpGstreamerDot - details:GstreamerDotDetails?
        class SdpEndpoint core SessionEndpoint abstract
        SdpEndpoint rw maxAudioRecvBandwidth:int
        SdpEndpoint rw maxVideoRecvBandwidth:int
        SdpEndpoint call generateOffer String options:OfferOptions?
        SdpEndpoint call processOffer String offer:String
        SdpEndpoint call processAnswer String answer:String
        SdpEndpoint call getLocalSessionDescriptor String
        SdpEndpoint call getRemoteSessionDescriptor String
        class BaseRtpEndpoint core SdpEndpoint abstract
        BaseRtpEndpoint rw minVideoRecvBandwidth:int
        BaseRtpEndpoint rw minVideoSendBandwidth:int
        BaseRtpEndpoint rw maxVideoSendBandwidth:int
        BaseRtpEndpoint ro mediaState:MediaState
        BaseRtpEndpoint ro connectionState:ConnectionState
        BaseRtpEndpoint rw mtu:int
        BaseRtpEndpoint rw rembParams:RembParams
        BaseRtpEndpoint call requestKeyframe -
        BaseRtpEndpoint event MediaStateChanged
        BaseRtpEndpoint event ConnectionStateChanged
        class MediaElement core MediaObject abstract
        MediaElement rw encoderBitrate:int
        MediaElement rw minEncoderBitrate:int
        MediaElement rw maxEncoderBitrate:int
        MediaElement call getSourceConnections ElementConnectionData[] mediaType:MediaType? description:String?
        MediaElement call getSinkConnections ElementConnectionData[] mediaType:MediaType? description:String?
        MediaElement call connect - sink:MediaElement mediaType:MediaType? sourceMediaDescription:String? \
          sinkMediaDescription:String?
        MediaElement call disconnect - sink:MediaElement mediaType:MediaType? sourceMediaDescription:String? \
          sinkMediaDescription:String?
        MediaElement call setAudioFormat - caps:AudioCaps
        MediaElement call setVideoFormat - caps:VideoCaps
        MediaElement call dumpGstreamerDot - details:GstreamerDotDetails?
        MediaElement call getGstreamerDot String details:GstreamerDotDetails?
        MediaElement call getStats Stats<> mediaType:MediaType?
        MediaElement call isMediaFlowingIn boolean mediaType:MediaType sinkMediaDescription:String?=default
        MediaElement call isMediaFlowingOut boolean mediaType:MediaType sourceMediaDescription:String?=default
        MediaElement call isMediaTranscoding boolean mediaType:MediaType binName:String?=default
        MediaElement event ElementConnected
        MediaElement event ElementDisconnected
        MediaElement event MediaFlowOutStateChanged
        MediaElement event MediaFlowInStateChanged
        MediaElement event MediaTranscodingStateChanged
        class AlphaBlending elements Hub
        AlphaBlending new mediaPipeline:MediaPipeline
        AlphaBlending call setMaster - source:HubPort zOrder:int
        AlphaBlending call setPortProperties - relativeX:float relativeY:float zOrder:int relativeWidth:float \
          relativeHeight:float port:HubPort
        class Composite elements Hub
        Composite new mediaPipeline:MediaPipeline width:int?=800 height:int?=600 framerate:int?=15
        class Dispatcher elements Hub
        Dispatcher new mediaPipeline:MediaPipeline
        Dispatcher call connect - source:HubPort sink:HubPort
        class DispatcherOneToMany elements Hub
        DispatcherOneToMany new mediaPipeline:MediaPipeline
        DispatcherOneToMany call setSource - source:HubPort
        DispatcherOneToMany call removeSource -
        class HttpPostEndpoint elements HttpEndpoint
        HttpPostEndpoint new mediaPipeline:MediaPipeline disconnectionTimeout:int?=2 \
          useEncodedMedia:boolean?=false
        HttpPostEndpoint event EndOfStream
        class HttpEndpoint elements SessionEndpoint abstract
        HttpEndpoint call getUrl String
        class Mixer elements Hub
        Mixer new mediaPipeline:MediaPipeline
        Mixer call connect - media:MediaType source:HubPort sink:HubPort
        Mixer call disconnect - media:MediaType source:HubPort sink:HubPort
        class PlayerEndpoint elements UriEndpoint
        PlayerEndpoint new mediaPipeline:MediaPipeline uri:String useEncodedMedia:boolean?=false \
          networkCache:int?=2000
        PlayerEndpoint ro videoInfo:VideoInfo
        PlayerEndpoint ro elementGstreamerDot:String
        PlayerEndpoint rw position:int64
        PlayerEndpoint call play -
        PlayerEndpoint event EndOfStream
        class RecorderEndpoint elements UriEndpoint
        RecorderEndpoint new mediaPipeline:MediaPipeline uri:String mediaProfile:MediaProfileSpecType?=WEBM \
          stopOnEndOfStream:boolean?=false
        RecorderEndpoint call record -
        RecorderEndpoint call stopAndWait -
        RecorderEndpoint event Recording
        RecorderEndpoint event Paused
        RecorderEndpoint event Stopped
        class RtpEndpoint elements BaseRtpEndpoint
        RtpEndpoint new mediaPipeline:MediaPipeline crypto:SDES?={} useIpv6:boolean?=false
        RtpEndpoint event OnKeySoftLimit
        class WebRtcEndpoint elements BaseRtpEndpoint
        WebRtcEndpoint new mediaPipeline:MediaPipeline recvonly:boolean?=false sendonly:boolean?=false \
          useDataChannels:boolean?=false certificateKeyType:CertificateKeyType?=RSA qosDscp:DSCPValue?=NO_VALUE
        WebRtcEndpoint rw networkInterfaces:String
        WebRtcEndpoint rw iceTcp:boolean
        WebRtcEndpoint rw stunServerAddress:String
        WebRtcEndpoint rw stunServerPort:int
        WebRtcEndpoint rw turnUrl:String
        WebRtcEndpoint rw externalIPv4:String
        WebRtcEndpoint rw externalIPv6:String
        WebRtcEndpoint ro ICECandidatePairs:IceCandidatePair[]
        WebRtcEndpoint ro IceConnectionState:IceConnection[]
        WebRtcEndpoint ro DtlsConnectionState:DtlsConnection[]
        WebRtcEndpoint call gatherCandidates -
        WebRtcEndpoint call addIceCandidate - candidate:IceCandidate
        WebRtcEndpoint call createDataChannel - label:String?= ordered:boolean?=true maxPacketLifeTime:int?=-1 \
          maxRetransmits:int?=-1 protocol:String?=
        WebRtcEndpoint call closeDataChannel - channelId:int
        WebRtcEndpoint event IceCandidateFound
        WebRtcEndpoint event IceGatheringDone
        WebRtcEndpoint event IceComponentStateChanged
        WebRtcEndpoint event DtlsConnectionStateChange
        WebRtcEndpoint event DataChannelOpened
        WebRtcEndpoint event DataChannelClosed
        WebRtcEndpoint event NewCandidatePairSelected
        class FaceOverlayFilter filters Filter
        FaceOverlayFilter new mediaPipeline:MediaPipeline
        FaceOverlayFilter call unsetOverlayedImage -
        FaceOverlayFilter call setOverlayedImage - uri:String offsetXPercent:float offsetYPercent:float \
          widthPercent:float heightPercent:float
        class GStreamerFilter filters Filter
        GStreamerFilter new mediaPipeline:MediaPipeline command:String filterType:FilterType?=AUTODETECT
        GStreamerFilter ro command:String
        GStreamerFilter call setElementProperty - propertyName:String propertyValue:String
        class ImageOverlayFilter filters Filter
        ImageOverlayFilter new mediaPipeline:MediaPipeline
        ImageOverlayFilter call removeImage - id:String
        ImageOverlayFilter call addImage - id:String uri:String offsetXPercent:float offsetYPercent:float \
          widthPercent:float heightPercent:float keepAspectRatio:boolean center:boolean
        class OpenCVFilter filters Filter abstract
        class ZBarFilter filters Filter
        ZBarFilter new mediaPipeline:MediaPipeline
        ZBarFilter event CodeFound
        enum UriEndpointState core PAUSE START STOP
        type ServerInfo core - version:String modules:ModuleInfo[] type:ServerType capabilities:String[]
        enum ServerType core KCS KMS
        enum GstreamerDotDetails core SHOW_ALL SHOW_CAPS_DETAILS SHOW_FULL_PARAMS SHOW_MEDIA_TYPE \
          SHOW_NON_DEFAULT_PARAMS SHOW_STATES SHOW_VERBOSE
        type ModuleInfo core - version:String name:String generationTime:String factories:String[]
        enum MediaState core CONNECTED DISCONNECTED
        enum MediaFlowState core FLOWING NOT_FLOWING
        enum MediaTranscodingState core NOT_TRANSCODING TRANSCODING
        enum ConnectionState core CONNECTED DISCONNECTED
        enum MediaType core AUDIO DATA VIDEO
        enum FilterType core AUDIO AUTODETECT VIDEO
        enum VideoCodec core AV1 H264 H265 RAW VP8 VP9
        enum AudioCodec core OPUS PCMA PCMU RAW
        type Fraction core - numerator:int denominator:int
        type AudioCaps core - codec:AudioCodec bitrate:int
        type VideoCaps core - codec:VideoCodec framerate:Fraction
        type ElementConnectionData core - source:MediaElement sink:MediaElement type:MediaType \
          sourceDescription:String sinkDescription:String
        type Tag core - key:String value:String
        enum StatsType core candidatepair datachannel element endpoint inboundrtp localcandidate outboundrtp \
          remotecandidate session track transport
        type MediaLatencyStat core - name:String type:MediaType avg:double
        type Stats core - id:String type:StatsType timestampMillis:int64
        type ElementStats core Stats inputLatency:MediaLatencyStat[]
        type EndpointStats core ElementStats E2ELatency:MediaLatencyStat[]
        type RTCStats core Stats
        type RTCRTPStreamStats core RTCStats ssrc:String associateStatsId:String isRemote:boolean \
          mediaTrackId:String transportId:String codecId:String firCount:int64 pliCount:int64 nackCount:int64 \
          sliCount:int64 remb:int64 packetsLost:int64 fractionLost:double
        type RTCCodec core RTCStats payloadType:int64 codec:String clockRate:int64 channels:int64 \
          parameters:String
        type RTCInboundRTPStreamStats core RTCRTPStreamStats packetsReceived:int64 bytesReceived:int64 \
          jitter:double
        type RTCOutboundRTPStreamStats core RTCRTPStreamStats packetsSent:int64 bytesSent:int64 \
          targetBitrate:double roundTripTime:double
        type RTCPeerConnectionStats core RTCStats dataChannelsOpened:int64 dataChannelsClosed:int64
        type RTCMediaStreamStats core RTCStats streamIdentifier:String trackIds:String[]
        type RTCMediaStreamTrackStats core RTCStats trackIdentifier:String remoteSource:boolean ssrcIds:String[] \
          frameWidth:int64 frameHeight:int64 framesPerSecond:double framesSent:int64 framesReceived:int64 \
          framesDecoded:int64 framesDropped:int64 framesCorrupted:int64 audioLevel:double echoReturnLoss:double \
          echoReturnLossEnhancement:double
        enum RTCDataChannelState core closed closing connecting open
        type RTCDataChannelStats core RTCStats label:String protocol:String datachannelid:int64 \
          state:RTCDataChannelState messagesSent:int64 bytesSent:int64 messagesReceived:int64 \
          bytesReceived:int64
        type RTCTransportStats core RTCStats bytesSent:int64 bytesReceived:int64 rtcpTransportStatsId:String \
          activeConnection:boolean selectedCandidatePairId:String localCertificateId:String \
          remoteCertificateId:String
        enum RTCStatsIceCandidateType core host peerreflexive relayed serverreflexive
        type RTCIceCandidateAttributes core RTCStats ipAddress:String portNumber:int64 transport:String \
          candidateType:RTCStatsIceCandidateType priority:int64 addressSourceUrl:String
        enum RTCStatsIceCandidatePairState core cancelled failed frozen inprogress succeeded waiting
        type RTCIceCandidatePairStats core RTCStats transportId:String localCandidateId:String \
          remoteCandidateId:String state:RTCStatsIceCandidatePairState priority:int64 nominated:boolean \
          writable:boolean readable:boolean bytesSent:int64 bytesReceived:int64 roundTripTime:double \
          availableOutgoingBitrate:double availableIncomingBitrate:double
        type RTCCertificateStats core RTCStats fingerprint:String fingerprintAlgorithm:String \
          base64Certificate:String issuerCertificateId:String
        type CodecConfiguration core - name:String? properties:String<>?
        type RembParams core - packetsRecvIntervalTop:int?=100 exponentialFactor:float?=0.04 \
          linealFactorMin:int? linealFactorGrade:float?=30 decrementFactor:float?=0.5 thresholdFactor:float?=0.8 \
          upLosses:int?=12 rembOnConnect:int?=300000
        type OfferOptions core - offerToReceiveAudio:boolean?=true offerToReceiveVideo:boolean?=true
        enum MediaProfileSpecType elements FLV JPEG_VIDEO_ONLY KURENTO_SPLIT_RECORDER MKV MKV_AUDIO_ONLY \
          MKV_VIDEO_ONLY MP4 MP4_AUDIO_ONLY MP4_VIDEO_ONLY WEBM WEBM_AUDIO_ONLY WEBM_VIDEO_ONLY
        type VideoInfo elements - isSeekable:boolean seekableInit:int64 seekableEnd:int64 duration:int64
        enum GapsFixMethod elements FILL_IF_TRANSCODING GENPTS NONE
        enum CryptoSuite elements AES_128_CM_HMAC_SHA1_32 AES_128_CM_HMAC_SHA1_80 AES_256_CM_HMAC_SHA1_32 \
          AES_256_CM_HMAC_SHA1_80
        type SDES elements - key:String? keyBase64:String? crypto:CryptoSuite?
        type IceCandidate elements - candidate:String sdpMid:String sdpMLineIndex:int
        enum IceComponentState elements CONNECTED CONNECTING DISCONNECTED FAILED GATHERING READY
        enum DtlsConnectionState elements CLOSED CONNECTED CONNECTING FAILED NEW
        type IceCandidatePair elements - streamId:String componentId:int localCandidate:String \
          remoteCandidate:String
        type IceConnection elements - streamId:String componentId:int state:IceComponentState
        type DtlsConnection elements - streamId:String componentId:String connectionId:String \
          state:DtlsConnectionState
        enum CertificateKeyType elements ECDSA RSA
        enum DSCPValue elements AF11 AF12 AF13 AF21 AF22 AF23 AF31 AF32 AF33 AF41 AF42 AF43 AUDIO_HIGH AUDIO_LOW \
          AUDIO_MEDIUM AUDIO_VERYLOW CHROME_HIGH CHROME_LOW CHROME_MEDIUM CHROME_VERYLOW CS0 CS1 CS2 CS3 CS4 CS5 \
          CS6 CS7 DATA_HIGH DATA_LOW DATA_MEDIUM DATA_VERYLOW EF LE NO_DSCP NO_VALUE VIDEO_HIGH \
          VIDEO_HIGH_THROUGHPUT VIDEO_LOW VIDEO_MEDIUM VIDEO_MEDIUM_THROUGHPUT VIDEO_VERYLOW VOICEADMIT
        event Error core RaiseBase description:String errorCode:int type:String
        event MediaSessionTerminated core Media
        event MediaSessionStarted core Media
        event ObjectCreated core RaiseBase object:MediaObject
        event ObjectDestroyed core RaiseBase objectId:String
        event MediaStateChanged core Media oldState:MediaState newState:MediaState
        event ConnectionStateChanged core Media oldState:ConnectionState newState:ConnectionState
        event MediaFlowOutStateChanged core Media state:MediaFlowState padName:String mediaType:MediaType
        event MediaFlowInStateChanged core Media state:MediaFlowState padName:String mediaType:MediaType
        event MediaTranscodingStateChanged core Media state:MediaTranscodingState binName:String \
          mediaType:MediaType
        event ElementConnected core Media sink:MediaElement mediaType:MediaType sourceMediaDescription:String \
          sinkMediaDescription:String
        event ElementDisconnected core Media sink:MediaElement mediaType:MediaType sourceMediaDescription:String \
          sinkMediaDescription:String
        event UriEndpointStateChanged core Media state:UriEndpointState
        event EndOfStream elements Media
        event Recording elements Media
        event Paused elements Media
        event Stopped elements Media
        event OnKeySoftLimit elements Media mediaType:MediaType
        event IceCandidateFound elements Media candidate:IceCandidate
        event IceGatheringDone elements Media
        event IceComponentStateChanged elements Media streamId:int componentId:int state:IceComponentState
        event DtlsConnectionStateChange elements Media streamId:String componentId:String connectionId:String \
          state:DtlsConnectionState
        event DataChannelOpened elements Media channelId:int
        event DataChannelClosed elements Media channelId:int
        event NewCandidatePairSelected elements Media candidatePair:IceCandidatePair
        event CodeFound filters Media codeType:String value:String
        """#

    /// Its lines, put together again.
    static var lines: [String] {
        var out: [String] = []
        var open = ""
        for line in text.split(separator: "\n") {
            let part = line.drop { $0 == " " }
            if part.hasSuffix("\\") {
                open += part.dropLast()
            } else {
                out.append(open + part)
                open = ""
            }
        }
        return out
    }
}
