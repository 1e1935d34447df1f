/// Why a request failed, in the words of the protocol: a number, a symbolic name for programs, a sentence for people.
///
/// The codes below -32000 are JSON-RPC 2.0's (section 5.1), those above 40000 Kurento's.
package struct RPCError: Error, Hashable, Sendable, CustomStringConvertible {
    package var code: Int
    /// `error.data.type` of the answer; nil where the protocol sends no data.
    package var type: String?
    package var message: String
    /// What is wrong exactly, where the protocol's own sentence does not say it; `error.data.detail` of the answer.
    package var detail: String?
    package var description: String { "\(code) \(message)" }

    package init(_ code: Int, _ type: String?, _ message: String) {
        self.code = code
        self.type = type
        self.message = message
    }

    // MARK: The message itself

    package static let notJSON = RPCError(-32700, "PARSE_ERROR", "Parse error.")
    package static let invalidRequest = RPCError(-32600, nil, "Invalid JSON-RPC request.")
    package static let methodNotFound = RPCError(-32601, nil, "Method not found.")
    package static let paramsRequired = RPCError(-32602, "INVALID_PARAMS", "'params' is required")
    package static func unexpected(_ what: String) -> RPCError {
        RPCError(-32603, nil, "Unexpected error while processing method: \(what)")
    }
    /// A member of `params` is missing or of the wrong kind.
    package static func member(_ message: String) -> RPCError { RPCError(-32000, nil, message) }

    // MARK: Arguments and objects

    package static func marshall(_ message: String) -> RPCError { RPCError(40001, "MARSHALL_ERROR", message) }
    package static func incompatible(_ message: String) -> RPCError { RPCError(40003, "UNEXPECTED_ERROR", message) }
    package static func connect(_ message: String) -> RPCError { RPCError(40004, "CONNECT_ERROR", message) }
    package static func unsupportedMedia(_ message: String) -> RPCError {
        RPCError(40005, "UNSUPPORTED_MEDIA_TYPE", message)
    }
    package static let invalidSession = RPCError(40007, "INVALID_SESSION", "Invalid session")
    package static func malformedTransaction(_ message: String) -> RPCError {
        RPCError(40008, "MALFORMED_TRANSACTION", message)
    }
    package static func notEnoughResources(_ message: String) -> RPCError {
        RPCError(40009, "NOT_ENOUGH_RESOURCES", message)
    }
    package static func objectNotFound(_ id: String) -> RPCError {
        RPCError(40101, "MEDIA_OBJECT_NOT_FOUND", "Object '\(id)' not found")
    }
    package static func eventNotSupported(_ name: String) -> RPCError {
        RPCError(40106, "MEDIA_OBJECT_EVENT_NOT_SUPPORTED", "Event '\(name)' not supported")
    }
    package static func illegalParameter(_ message: String) -> RPCError {
        RPCError(40107, "MEDIA_OBJECT_ILLEGAL_PARAM_ERROR", message)
    }
    package static func factoryNotFound(_ name: String) -> RPCError {
        RPCError(40108, "MEDIA_OBJECT_NOT_AVAILABLE", "Factory '\(name)' not found")
    }
    package static let tagNotFound = RPCError(40110, "MEDIA_OBJECT_TAG_KEY_NOT_FOUND", "Tag key not found")
    /// The element behind a class cannot be made here.
    package static func notAvailable(_ message: String) -> RPCError {
        RPCError(40108, "MEDIA_OBJECT_NOT_AVAILABLE", message)
    }
    package static func notSupported(_ message: String) -> RPCError {
        RPCError(40111, "MEDIA_OBJECT_OPERATION_NOT_SUPPORTED", message)
    }

    // MARK: Descriptions

    /// Something about offers and answers, 40200 to 40211.
    package static func sdp(_ code: Int, _ type: String, _ message: String) -> RPCError {
        RPCError(code, type, message)
    }
    package static let alreadyNegotiated = RPCError(
        40208, "SDP_END_POINT_ALREADY_NEGOTIATED", "Endpoint already negotiated")
    package static let noOffer = RPCError(
        40209, "SDP_END_POINT_NOT_OFFER_GENERATED", "Offer not generated. It is not possible to process an answer.")
    /// The symbolic name is misspelt in the protocol.
    package static let answerProcessed = RPCError(
        40210, "SDP_END_POINT_ANSWER_ALREADY_PROCCESED", "Sdp Answer already processed")
}
