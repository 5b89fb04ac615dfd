internal import Stratagem
internal import Torch

/// The values and statistics of one tensor.
struct TensorReport {
  /// Numbers about the elements; of those that are finite, apart from the counts.
  struct Statistics {
    var minimum: Double?
    var maximum: Double?
    var mean: Double?
    var deviation: Double?
    var zeros = 0
    var nonFinite = 0
  }

  let key: String
  let tensor: Tensor

  /// Goes through the elements in pieces, so that no copy of a large tensor in another type is made.
  func statistics() throws -> Statistics {
    var result = Statistics()
    let flat = tensor.flattened()
    var (count, sum, squares) = (0, 0.0, 0.0)
    let pieceCount = 1 << 20
    for start in stride(from: 0, to: flat.count, by: pieceCount) {
      let piece = flat[start..<min(start + pieceCount, flat.count)]
      for value in try piece.to(.float64).array(as: Double.self) {
        guard value.isFinite else {
          result.nonFinite += 1
          continue
        }
        if value == 0 { result.zeros += 1 }
        result.minimum = min(result.minimum ?? value, value)
        result.maximum = max(result.maximum ?? value, value)
        // Welford's method: no cancellation where the mean is far from zero.
        count += 1
        let delta = value - sum
        sum += delta / Double(count)
        squares += delta * (value - sum)
      }
    }
    if count > 0 { result.mean = sum }
    if count > 1 { result.deviation = (squares / Double(count - 1)).squareRoot() }
    return result
  }

  var text: String {
    get throws {
      let statistics = try statistics()
      func number(_ value: Double?) -> String { value.map { "\($0)" } ?? "none" }
      return """
        \(DisplayText.sanitized(key)): shape [\(tensor.shape.map(String.init).joined(separator: ", "))], \
        \(tensor.dtype), \(ByteText.grouped(tensor.count)) elements, \(ByteText.of(tensor.byteCount))
        minimum \(number(statistics.minimum)), maximum \(number(statistics.maximum)), \
        mean \(number(statistics.mean)), standard deviation \(number(statistics.deviation))
        \(ByteText.grouped(statistics.zeros)) zeros, \(ByteText.grouped(statistics.nonFinite)) not finite
        \(tensor)

        """
    }
  }

  var json: JSONTree {
    get throws {
      let statistics = try statistics()
      return .object([
        ("key", .text(key)), ("shape", .list(tensor.shape.map { .number($0) })), ("dtype", .text("\(tensor.dtype)")),
        ("bytes", .number(tensor.byteCount)), ("minimum", .number(statistics.minimum)),
        ("maximum", .number(statistics.maximum)), ("mean", .number(statistics.mean)),
        ("standard_deviation", .number(statistics.deviation)), ("zeros", .number(statistics.zeros)),
        ("not_finite", .number(statistics.nonFinite)),
      ])
    }
  }
}
