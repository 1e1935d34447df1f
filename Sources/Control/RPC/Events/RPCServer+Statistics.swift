import Core
import Media

// Figures that come by themselves.
extension RPCServer {
    private static let intervalMin = 100

    /// From now on an element's figures are told every so many milliseconds; 0: no more.
    func tellStatistics(of object: RPCObject, every interval: Int) {
        let wasOn = object.kept["statisticsInterval"].map { $0 != .int(0) } ?? false
        object.kept["statisticsInterval"] = .int(interval)
        guard interval > 0, !wasOn, let pipeline = object.pipeline else { return }
        let (id, className) = (object.id, object.className)
        let call = SlowCall(
            id: id, className: className, arguments: Arguments(), pipeline: pipeline, services: services,
            kept: object.kept, pipelineKept: object.root?.kept ?? [:], server: self, session: "")
        Task(executorPreference: executor) { await self.tell(call) }
    }

    /// Goes on for as long as the object lives and somebody wants it.
    private func tell(_ call: SlowCall) async {
        while let object = table[call.id], case .int(let interval)? = object.kept["statisticsInterval"], interval > 0 {
            await pause(.milliseconds(max(interval, RPCServer.intervalMin)))
            guard let object = table[call.id], object.subscribers["Statistics"]?.isEmpty == false else { continue }
            guard let entries = try? await call.perform(Bindings.statistics) else { return }
            guard table[call.id] === object else { return }
            publish(
                "Statistics", of: object, [Argument("stats", .structure(entries))],
                at: services.host.unixMilliseconds())
        }
    }

    /// Remembers a value of an object, if that still exists.
    func keep(_ name: String, _ value: ArgumentValue, of id: String) { table[id]?.kept[name] = value }
}
