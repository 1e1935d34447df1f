import Core
package import Media

/// In is out. Routes sources rather than frames, so it costs nothing per frame and renditions are shared through it.
package final class PassThrough: Element {
    package init(_ context: PipelineContext, name: String) {
        super.init(context, name: name, className: "PassThrough")
        for kind in MediaKind.allCases {
            addOutput(kind)
            addInput(kind)
        }
    }

    public override func originChanged(of pad: InputPad) { outputs[pad.kind]?.origin = pad.origin }
}
