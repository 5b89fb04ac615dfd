import Foundation
import Testing
import Torch

/// Training with Adasum against its formula, simulated for all ranks in one process.
@Suite("horovod's Adasum does what its formula says", .serialized)
struct AdasumFormulaTests {
  /// (1 - a·b / 2‖a‖²) a + (1 - a·b / 2‖b‖²) b of two vectors; of more, that of the first and the second half.
  private static func adasum(_ vectors: [[Double]]) -> [Double] {
    guard vectors.count > 1 else { return vectors[0] }
    let half = vectors.count / 2
    let (a, b) = (adasum(Array(vectors[..<half])), adasum(Array(vectors[half...])))
    func dot(_ x: [Double], _ y: [Double]) -> Double { zip(x, y).map(*).reduce(0, +) }
    let (product, first, second) = (dot(a, b), dot(a, a), dot(b, b))
    let factors = (first == 0 ? 1 : 1 - product / (2 * first), second == 0 ? 1 : 1 - product / (2 * second))
    return zip(a, b).map { factors.0 * $0 + factors.1 * $1 }
  }

  private static func mean(_ vectors: [[Double]]) -> [Double] {
    vectors.dropFirst().reduce(vectors[0]) { zip($0, $1).map(+) }.map { $0 / Double(vectors.count) }
  }

  /// The update of each rank is that of its own optimizer; each tensor has factors of its own.
  ///
  /// - Parameters:
  ///   - momentum: of the optimizers, which every rank keeps for itself.
  ///   - perNode: the ranks of a node, of which the mean takes part; 1 for each by itself.
  ///   - isFlat: whether all tensors together are taken for one vector, which is wrong.
  private static func step(momentum: Double = 0, perNode: Int = 1, isFlat: Bool = false) -> FormulaCase.Step {
    var buffers: [[Double]] = []
    return { simulation in
      let gradients = try simulation.gradients.map { try $0.to(.float64).array(as: Double.self) }
      buffers =
        buffers.isEmpty ? gradients : zip(buffers, gradients).map { zip($0, $1).map { momentum * $0 + $1 } }
      let deltas = buffers.map { $0.map { -Double(simulation.rate) * $0 } }
      let parties = stride(from: 0, to: deltas.count, by: perNode).map { mean(Array(deltas[$0..<($0 + perNode)])) }
      var update: [Double] = []
      // As vectors hold them: from the last to the first.
      let counts = isFlat ? [deltas[0].count] : simulation.weights[0].reversed().map(\.count)
      var start = 0
      for count in counts {
        update += adasum(parties.map { Array($0[start..<(start + count)]) })
        start += count
      }
      let change = Tensor(update.map { Float($0) })
      for rank in 0..<simulation.ranks { simulation.setWeights(rank, simulation.vector(rank) + change) }
      simulation.step += 1
    }
  }

  @Test("Step by step, with and without momentum, fused and unfused", arguments: [2, 4])
  func steps(_ ranks: Int) throws {
    try FormulaCase.compare(
      ranks,
      [
        FormulaCase("adasum", Self.step()), FormulaCase("adasum,fusion=0", Self.step()),
        FormulaCase("adasum,momentum=0.9", Self.step(momentum: 0.9)),
        // On one node, all ranks are one vector.
        FormulaCase("adasum,hierarchical=true", Self.step(perNode: ranks)),
      ])
  }

  @Test("Two nodes of two ranks: means inside the nodes, Adasum between them, or between all ranks")
  func nodes() throws {
    try FormulaCase.compare(
      4, nodes: 2, byHorovod: true,
      [
        FormulaCase("adasum,hierarchical=true", Self.step(perNode: 2)),
        FormulaCase("adasum,hierarchical=true,momentum=0.9,fusion=0", Self.step(momentum: 0.9, perNode: 2)),
        FormulaCase("adasum", Self.step()),
      ])
  }

  @Test("The comparison tells Adasum from what resembles it")
  func distinction() throws {
    let start = [Tensor.ones([6, 4]) * 0.3, .zeros([6]), .ones([3, 6]) * 0.2, .zeros([3])]
    var simulations = (0..<4).map { _ in BaguaSimulation(start, ranks: 4) }
    let steps = [Self.step(), Self.step(perNode: 4), Self.step(perNode: 2), Self.step(isFlat: true)]
    for (index, step) in steps.enumerated() {
      try step(&simulations[index])
    }
    for other in 1..<4 {
      let distance = try (simulations[0].vector(0) - simulations[other].vector(0)).abs().max().scalar()
      #expect(distance > 2e-4, "\(other): \(distance)")
    }
  }
}
