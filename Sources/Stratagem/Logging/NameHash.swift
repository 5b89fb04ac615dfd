/// A number that differs when names differ (FNV-1a), by which ranks tell cheaply whether they logged the same.
struct NameHash {
  private var hash: UInt64 = 14_695_981_039_346_656_037
  private var isEmpty = true

  mutating func add(_ byte: UInt8) {
    hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211
    isEmpty = false
  }

  mutating func add(_ name: String, _ kind: MetricReduction, acrossRanks: Bool) {
    for byte in name.utf8 { add(byte) }
    add(0)
    switch kind {
    case .mean: add(acrossRanks ? 2 : 3)
    case .sum: add(acrossRanks ? 4 : 5)
    case .min: add(acrossRanks ? 6 : 7)
    case .max: add(acrossRanks ? 8 : 9)
    }
  }

  /// 0 for nothing at all.
  var value: Int { isEmpty ? 0 : Int(bitPattern: UInt(hash | 1)) }
}
