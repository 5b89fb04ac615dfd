import Torch

/// The rows of all ranks, each rank's padded to the same number.
struct GatheredRows {
  /// Of `longest` rows a rank.
  let output: Tensor
  /// How many rows each rank has.
  let counts: [Int]
  let longest: Int

  var parts: [Tensor] {
    counts.enumerated().map { output.narrowed(dim: 0, start: $0 * longest, length: $1) }
  }
}
