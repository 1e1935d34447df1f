/// Several requests in one, in which later ones may name what earlier ones made.
enum Transaction {
    /// What a reference to the result of another operation begins with; its number follows.
    static let reference = "newref:"

    /// Replaces references at any depth by the results they name.
    static func resolve(_ json: JSON, _ answers: [JSON]) throws(RPCError) -> JSON {
        switch json {
        case .string(let text):
            guard text.hasPrefix(reference) else { return json }
            return try result(String(text.dropFirst(reference.count)), answers)
        case .array(let entries):
            var out: [JSON] = []
            for entry in entries { out.append(try resolve(entry, answers)) }
            return .array(out)
        case .object(let members):
            var out: [JSON.Member] = []
            for member in members { out.append(JSON.Member(member.key, try resolve(member.value, answers))) }
            return .object(out)
        case .null, .bool, .int, .double: return json
        }
    }

    private static func result(_ number: String, _ answers: [JSON]) throws(RPCError) -> JSON {
        guard let index = Int(number) else { throw .malformedTransaction("Invalid index of newref '\(number)'") }
        guard answers.indices.contains(index), let value = answers[index]["result"]?["value"] else {
            throw .malformedTransaction("Result not found on request \(index)")
        }
        return value
    }
}

extension RPCServer {
    func transaction(_ params: RPCParams, _ session: String) throws(RPCError) -> Reply {
        let operations = try params.list("operations")
        guard operations.count <= options.operationsMax else {
            throw .notEnoughResources(
                "A transaction may have \(options.operationsMax) operations, this one has \(operations.count)")
        }
        return .later { server throws(RPCError) in try await server.perform(operations, session) }
    }

    /// One after another, up to the first that fails. What was made stays.
    private func perform(_ operations: [JSON], _ session: String) async throws(RPCError) -> Outcome {
        var answers: [JSON] = []
        for (index, operation) in operations.enumerated() {
            guard operation["id"] == .int(index) || operation["id"] == .string(String(index)) else {
                throw .malformedTransaction("Id of request '\(index)' should be '\(index)'")
            }
            var request: RPCRequest
            do throws(RPCRequest.Refusal) { request = try RPCRequest(operation) } catch {
                answers.append(RPCAnswer.failure(operation["id"], error.error))
                break
            }
            try request.params.resolve(answers)
            request.params.set("sessionId", .string(session))
            do throws(RPCError) {
                let outcome: Outcome
                switch try begin(request, session: session) {
                case .now(let done): outcome = done
                case .later(let work): outcome = try await work(self)
                }
                answers.append(RPCAnswer.success(request.id, outcome.result))
            } catch {
                answers.append(RPCAnswer.failure(request.id, error))
                break
            }
        }
        return Outcome(session, value: .array(answers))
    }
}

extension RPCParams {
    /// Replaces references by what they stand for in the answers so far.
    fileprivate mutating func resolve(_ answers: [JSON]) throws(RPCError) {
        guard let members, case .object(let resolved) = try Transaction.resolve(.object(members), answers) else {
            return
        }
        self = RPCParams(resolved)
    }
}
