import Core
import Media

/// What the machine tells of this process; the program gives it, since nothing here reads a clock or a file.
package struct MachineFigures: Sendable {
    /// Processors that the process may use.
    package var coreCount: Int
    /// Time of all processors that the process has used, in nanoseconds.
    package var cpuNanoseconds: @Sendable () -> Int64
    /// Memory in use, in KiB.
    package var memoryKiB: @Sendable () -> Int

    package init(
        coreCount: Int = 1, cpuNanoseconds: @escaping @Sendable () -> Int64 = { 0 },
        memoryKiB: @escaping @Sendable () -> Int = { 0 }
    ) {
        self.coreCount = coreCount
        self.cpuNanoseconds = cpuNanoseconds
        self.memoryKiB = memoryKiB
    }
}

// The server itself.
extension Bindings {
    /// The version of the interface that stock clients are built with.
    static let version = "7.3.1"
    /// When modules were generated, in the form clients expect; ours are part of the program.
    private static let generationTime = "Nov 20 2026 12:00:00"
    /// Longest time that `getUsedCpu` measures.
    private static let intervalMax = 600_000

    static let manager = ClassBinding(
        "ServerManager",
        properties: [
            "info": PropertyBinding(get: .record { server, _ throws(RPCError) in info(server.model) }),
            "pipelines": PropertyBinding(
                get: .record { server, _ throws(RPCError) in
                    let pipelines = server.table.objects.values.filter { $0.className == "MediaPipeline" }
                    return .list(pipelines.sorted { $0.number < $1.number }.map { .object($0.id) })
                }),
            "sessions": PropertyBinding(
                get: .record { server, _ throws(RPCError) in
                    .list(server.sessions.keys.sorted().map { .string($0) })
                }),
            "metadata": PropertyBinding(
                get: .record { server, _ throws(RPCError) in .string(server.services.metadata) }),
        ],
        methods: [
            "getKmd": .record { server, call throws(RPCError) in
                guard let text = server.model.interface(of: call.arguments.string("moduleName") ?? "") else {
                    throw RPCError(40500, "UNDEFINED", "Requested kmd module doesn't exist")
                }
                return .string(text.compact)
            },
            "getCpuCount": .record { server, _ throws(RPCError) in .int(server.services.machine.coreCount) },
            "getUsedMemory": .record { server, _ throws(RPCError) in .int(server.services.machine.memoryKiB()) },
            "getUsedCpu": .slow { call throws(RPCError) in
                let interval = max(1, min(call.arguments.int("interval") ?? 1000, intervalMax))
                let (machine, host) = (call.services.machine, call.services.host)
                let (began, used) = (host.now(), machine.cpuNanoseconds())
                await call.server.pause(.milliseconds(interval))
                let time = Double(max(1, (host.now() - began).nanoseconds)) * Double(max(1, machine.coreCount))
                return .float(max(0, Double(machine.cpuNanoseconds() - used) / time * 100))
            },
            "createFromDocument": .slow { call throws(RPCError) in
                try await call.server.createFromDocument(call.arguments.string("document") ?? "", call.session)
            },
        ])

    private static func info(_ model: ObjectModel) -> ArgumentValue {
        let modules = [ModelModule.core, .elements, .filters].map { module in
            let names = model.concreteClasses.filter { $0.module == module }.map(\.name).sorted()
            return ArgumentValue.structure([
                Argument("version", .string(version)), Argument("name", .string(module.rawValue)),
                Argument("generationTime", .string(generationTime)),
                Argument("factories", .list(names.map { .string($0) })),
            ])
        }
        return .structure([
            Argument("version", .string(version)), Argument("modules", .list(modules)),
            Argument("type", .string("KMS")), Argument("capabilities", .list([.string("transactions")])),
        ])
    }
}
