/// ` (did you mean 'width'?)` if one of the candidates is close to the word, else nothing.
///
/// Close means: the same letters in another case, or at most a third of the longer word changed, inserted, left out
/// or swapped with its neighbour. Of equally close ones the first counts.
package func suggestion(for word: String, among candidates: [String]) -> String {
    let short = Array(word.lowercased().unicodeScalars.prefix(64))
    var best: (distance: Int, name: String)?
    for candidate in candidates {
        let other = Array(candidate.lowercased().unicodeScalars.prefix(64))
        let bound = max(short.count, other.count) / 3
        guard abs(short.count - other.count) <= max(bound, 0) else { continue }
        let distance = editDistance(short, other)
        if distance <= bound, distance < best?.distance ?? .max { best = (distance, candidate) }
    }
    return best.map { " (did you mean '\($0.name)'?)" } ?? ""
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other
/// (optimal string alignment). Time and memory grow with the product of the lengths.
private func editDistance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
    if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
    var previous: [Int] = []
    var current = Array(0...b.count)
    for i in 1...a.count {
        let before = previous
        previous = current
        current[0] = i
        for j in 1...b.count {
            let replaced = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
            current[j] = min(previous[j] + 1, current[j - 1] + 1, replaced)
            if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                current[j] = min(current[j], before[j - 2] + 1)
            }
        }
    }
    return current[b.count]
}
