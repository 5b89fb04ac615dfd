internal import Torch

/// Which gradients cross the ranks together, and in which order: the same on all ranks, so that collectives always meet.
struct FusionPlan {
  /// Where communication overlaps with backward, a buffer is no larger than this part of everything.
  ///
  /// Horovod closes a buffer when its cycle of a millisecond is over, full or not; which gradients go together then depends
  /// on the clock, and with it the last digits of sums. Here it depends on sizes alone.
  private static let parts = 8
  /// Smaller buffers cost more in latency than their overlap saves.
  private static let smallest = 1 << 20

  /// The tensors of each buffer, by position, in the order in which buffers cross the ranks.
  let buffers: [[Int]]

  /// - Parameters:
  ///   - order: the positions of the tensors in the order in which backward makes their gradients.
  ///   - tensors: all tensors.
  ///   - threshold: the most bytes of a buffer of several tensors; 0 for a buffer for each tensor.
  init(_ order: [Int], _ tensors: [Tensor], threshold: Int) {
    let total = tensors.reduce(0) { $0 + $1.byteCount }
    let limit = min(threshold, max(FusionPlan.smallest, total / FusionPlan.parts))
    var buffers: [[Int]] = []
    var open: [(kind: Kind, buffer: Int, bytes: Int)] = []
    for index in order {
      let tensor = tensors[index]
      let kind = Kind(dtype: tensor.dtype, device: tensor.device)
      if let place = open.firstIndex(where: { $0.kind == kind }), open[place].bytes + tensor.byteCount <= limit {
        buffers[open[place].buffer].append(index)
        open[place].bytes += tensor.byteCount
      } else {
        open.removeAll { $0.kind == kind }
        open.append((kind, buffers.count, tensor.byteCount))
        buffers.append([index])
      }
    }
    // A buffer can go when the last of its gradients is there.
    let places = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
    func last(_ buffer: [Int]) -> Int { buffer.compactMap { places[$0] }.max() ?? 0 }
    self.buffers = buffers.sorted { last($0) < last($1) }
  }

  private struct Kind: Equatable {
    let dtype: DType
    let device: Device
  }
}
