import Core
package import Media
import Vision

/// Tells which bar codes and QR codes are to be seen (event `CodeFound`), and hands the media on untouched. Looks
/// whether anybody takes its output or not.
package final class ZBarFilter: Filter {
    private var line: FilterLine<Never, SeenCodes>?
    /// The time of the picture in which each code was last told: media time, so that offline runs are equal.
    private var told: [FoundCode: MediaTime] = [:]
    /// The same code is told again after that long at the earliest.
    private static let interval = MediaTime.seconds(1)
    /// Codes remembered: enough for any picture, and a stream of ever new ones cannot fill the memory.
    private static let toldMax = 256

    package init(_ context: PipelineContext, name: String) {
        super.init(context, name: name, className: "ZBarFilter")
        let line = FilterLine<Never, SeenCodes>(self, .video, mode: .watch, detail: "codes") { CodeWork() }
        line.onFinding = { [unowned self] in tell($0) }
        self.line = line
        passOthers()
    }

    override func lineOriginChanged(_ pad: InputPad) -> Bool {
        guard pad.kind == .video, let line else { return false }
        line.originChanged()
        return true
    }

    private func tell(_ seen: SeenCodes) {
        func isFresh(_ last: MediaTime) -> Bool { last <= seen.at && seen.at - last < ZBarFilter.interval }
        for code in seen.codes {
            if let last = told[code], isFresh(last) { continue }
            if told.count >= ZBarFilter.toldMax { told = told.filter { isFresh($0.value) } }
            guard told.count < ZBarFilter.toldMax else { return }
            told[code] = seen.at
            context.emit(.codeFound(type: code.type, value: code.value), from: self)
        }
    }

    public override func release() {
        guard !isReleased else { return }
        line?.release()
        super.release()
    }
}

/// The codes of one picture.
private struct SeenCodes: Sendable {
    let codes: [FoundCode]
    /// The picture's time.
    let at: MediaTime
}

private final class CodeWork: StageWork {
    private let scanner = CodeScanner()
    private var next = MediaTime.distantPast
    /// Between two looks: a code stays longer than that in front of a camera.
    private static let interval = MediaTime.milliseconds(100)

    func process(_ input: FilterInput<Never>, emit: (FilterOutput<SeenCodes>) -> Void) throws {
        guard case .item(.picture(let picture), _) = input else { return }
        // Times may begin anew.
        guard picture.pts >= next || next - picture.pts > .seconds(1) else { return }
        next = picture.pts + CodeWork.interval
        let codes = scanner.scan(picture)
        if !codes.isEmpty { emit(.finding(SeenCodes(codes: codes, at: picture.pts))) }
    }
}
