import Core
package import Media
package import Mixing

/// A meeting point of ports. Media enters and leaves through its `HubPort`s; what happens between is the subclass.
package class Hub: Element {
    /// In order of creation, which is the order of tiles.
    package private(set) var ports: [HubPort] = []

    /// The sink that takes what enters a port; nil where media of this kind is only routed.
    func makeSink(for port: HubPort, _ kind: MediaKind) -> (any MediaSink)? { nil }
    func portAdded(_ port: HubPort) {}
    func portRemoved(_ port: HubPort) {}
    /// A port was connected, disconnected, or is reached by another source now.
    func inputChanged(of port: HubPort, _ kind: MediaKind) {}
    /// A port is to be treated otherwise from now on.
    func optionsChanged(of port: HubPort) {}

    fileprivate func add(_ port: HubPort) {
        ports.append(port)
        portAdded(port)
    }

    fileprivate func remove(_ port: HubPort) {
        ports.removeAll { $0 === port }
        portRemoved(port)
    }

    /// Releases the ports first.
    public override func release() {
        for port in ports.reversed() { port.release() }
        super.release()
    }

    func checkOwn(_ port: HubPort) throws(GraphError) {
        guard port.hub === self else {
            throw GraphError("\(port.name) is a port of \(port.hub.name), not of \(name)")
        }
    }
}

/// How a mixing hub treats one port.
package struct PortOptions: Hashable, Sendable {
    /// Where the port's picture goes; nil: the hub's layout places it.
    package var region: Region?
    /// nil: as the hub does.
    package var fit: Fit?
    /// 0–1.
    package var opacity = 1.0
    /// Factor on the port's sound.
    package var gain: Float = 1
    package var isMuted = false
    /// A name for people; a Composite writes it onto the port's picture, if it shows labels.
    package var label = ""
    /// Whether what leaves the port does not show what enters it (Composite).
    package var isSelfHidden = false
    /// Whether its picture comes before those that are not pinned (Composite).
    package var isPinned = false
    /// Of its region; higher is nearer to the viewer.
    package var zOrder = 0 {
        didSet { region?.z = zOrder }
    }
    package init() {}
}

/// The door of a hub: what is connected to it enters the hub, what the hub makes for it leaves through it.
package final class HubPort: Element {
    package unowned let hub: Hub
    /// Takes effect with the next picture and block of sound.
    package var options: PortOptions {
        didSet { if options != oldValue { hub.optionsChanged(of: self) } }
    }

    package init(_ context: PipelineContext, name: String, hub: Hub, options: PortOptions = PortOptions()) {
        self.hub = hub
        self.options = options
        super.init(context, name: name, className: "HubPort")
        for kind in MediaKind.allCases {
            addOutput(kind)
            addInput(kind, sink: hub.makeSink(for: self, kind))
        }
        hub.add(self)
        hub.optionsChanged(of: self)
    }

    public override func originChanged(of pad: InputPad) { hub.inputChanged(of: self, pad.kind) }

    public override func release() {
        guard !isReleased else { return }
        super.release()
        hub.remove(self)
    }
}
