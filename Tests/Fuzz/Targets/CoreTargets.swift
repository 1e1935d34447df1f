import Core

extension FuzzTarget {
    static let core = [
        FuzzTarget("parameter-sets") { bytes in
            var choices = FuzzChoices(bytes)
            let kind = choices.byte() % 4
            let rest = choices.rest()
            switch kind {
            case 0:
                guard let set = try? AVCSequenceParameterSet(rest.span.bytes) else { return }
                precondition(set.width > 0 && set.height > 0 && set.number < 32)
            case 1:
                guard let set = try? HEVCSequenceParameterSet(rest.span.bytes) else { return }
                precondition(set.width > 0 && set.height > 0 && set.number < 16)
                _ = HEVC.configuration(video: [[0x40, 1]], sequence: [rest], picture: [[0x44, 1]])
            case 2: _ = AVC.parameterSets(configuration: rest)
            default: _ = HEVC.parameterSets(configuration: rest)
            }
        }
    ]
}
