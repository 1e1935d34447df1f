import Core
import Media
import Mixing

/// A hub that makes new media of what enters its ports: a canvas, mixes of sound, or both. Subclasses say where
/// pictures go and who hears whom.
package class MixingHub: Hub {
    private(set) var canvas: CanvasProducer?
    private(set) var sound: SoundProducer?

    private var allInputs: HubInputs { HubInputs(inputs: (canvas?.inputs ?? []) + (sound?.inputs ?? [])) }

    /// Gives the hub a picture side; `compose` is its layout. Once, before the first port.
    @discardableResult
    func addCanvas(
        rate: Rational, compose: @escaping ([PictureInput], MediaTime) -> CompositionJob?
    ) -> CanvasProducer {
        let canvas = CanvasProducer(
            hub: self, rate: rate, allInputs: { [unowned self] in allInputs }, compose: compose)
        canvas.onInputChange = { [unowned self] in advance() }
        self.canvas = canvas
        return canvas
    }

    /// Gives the hub a sound side. Once, before the first port.
    func addSound(hearing: @escaping (HubPort) -> Hearing) {
        let sound = SoundProducer(hub: self, allInputs: { [unowned self] in allInputs }, hearing: hearing)
        sound.onInputChange = { [unowned self] in advance() }
        self.sound = sound
    }

    /// Whether pictures go on may hang on sound alone, and the other way round.
    private func advance() {
        canvas?.advance()
        sound?.advance()
    }

    /// Mix-minus: a port that speaks hears all others, one that does not hears all.
    func everyoneButItself(_ port: HubPort) -> Hearing {
        guard let input = sound?.input(of: port), port.inputs[.audio]?.upstream != nil else { return .everyone }
        return .everyoneBut(input.number)
    }

    override func makeSink(for port: HubPort, _ kind: MediaKind) -> (any MediaSink)? {
        switch kind {
        case .video: canvas?.makeInput(for: port)
        case .audio: sound?.makeInput(for: port)
        case .data: nil
        }
    }

    override func portAdded(_ port: HubPort) {
        canvas?.portAdded(port)
        sound?.portAdded(port)
    }

    override func portRemoved(_ port: HubPort) {
        canvas?.portRemoved(port)
        sound?.portRemoved(port)
    }

    override func inputChanged(of port: HubPort, _ kind: MediaKind) {
        switch kind {
        case .video: canvas?.inputChanged(of: port)
        case .audio: sound?.inputChanged(of: port)
        case .data: break
        }
    }

    public override func release() {
        guard !isReleased else { return }
        super.release()
        canvas?.release()
        sound?.release()
    }
}
