/// A request or notification of JSON-RPC 2.0 that passed the checks of its frame; what its method needs is checked by
/// the method.
struct RPCRequest: Sendable {
    /// Nil for a notification: absent or null.
    var id: JSON?
    var method: String
    var params: RPCParams

    /// A message that is no request, and what is to be answered.
    struct Refusal: Error {
        var id: JSON?
        var error: RPCError
    }

    /// Reads one message. Nothing but a JSON object is one: batches are not part of the protocol.
    init(parsing text: String, limits: JSONLimits) throws(Refusal) {
        let json: JSON
        do throws(JSONError) {
            json = try JSONNode(parsing: text, limits: limits).json
        } catch {
            var refusal = RPCError.notJSON
            refusal.detail = error.description
            throw Refusal(id: nil, error: refusal)
        }
        try self.init(json)
    }

    /// Checks a value that should be a request: one operation of a transaction, or a whole message.
    init(_ json: JSON) throws(Refusal) {
        guard case .object = json, json["jsonrpc"] == .string("2.0"),
            case .string(let method)? = json["method"]
        else { throw Refusal(id: nil, error: .invalidRequest) }
        switch json["id"] {
        case .array?, .object?: throw Refusal(id: nil, error: .invalidRequest)
        case .null?, nil: id = nil
        case let given?: id = given
        }
        self.method = method
        switch json["params"] {
        case nil, .null?: params = RPCParams(nil)
        case .object(let members)?: params = RPCParams(members)
        default: throw Refusal(id: id, error: .invalidRequest)
        }
    }
}

/// The parameters of a method, looked up by name with the protocol's leniency and error texts.
struct RPCParams: Sendable {
    private(set) var members: [JSON.Member]?

    init(_ members: [JSON.Member]?) { self.members = members }

    /// Whether the request had parameters at all.
    var isPresent: Bool { members != nil }

    /// The member as it came; nil where it is missing or null.
    subscript(_ name: String) -> JSON? {
        guard let value = members?.first(where: { $0.key == name })?.value, value != .null else { return nil }
        return value
    }

    /// Puts a member in, in place of one of that name.
    mutating func set(_ name: String, _ value: JSON) {
        members = (members ?? []).filter { $0.key != name } + [JSON.Member(name, value)]
    }

    /// A member that must be there and be text, or something that passes for text.
    func text(_ name: String) throws(RPCError) -> String {
        guard let value = try optionalText(name) else { throw .member("'\(name)' parameter is required") }
        return value
    }

    func optionalText(_ name: String) throws(RPCError) -> String? {
        switch self[name] {
        case nil, .null?: return nil
        case .string(let value)?: return value
        case .int(let value)?: return String(value)
        case .double(let value)?: return String(value)
        case .bool(let value)?: return value ? "true" : "false"
        case .array?, .object?: throw .member("'\(name)' parameter should be a string")
        }
    }

    /// A member that must be a list.
    func list(_ name: String) throws(RPCError) -> [JSON] {
        switch self[name] {
        case nil, .null?: throw .member("'\(name)' parameter is required")
        case .array(let entries)?: return entries
        default: throw .member("'\(name)' parameter should be an array")
        }
    }

    /// Whether a member says yes; anything but `true` and numbers other than 0 says no.
    func flag(_ name: String) -> Bool {
        switch self[name] {
        case .bool(let value)?: value
        case .int(let value)?: value != 0
        default: false
        }
    }
}
