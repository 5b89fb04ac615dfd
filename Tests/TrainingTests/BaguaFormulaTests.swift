import Foundation
import Testing
import Torch

/// Each algorithm in real processes against its formula, simulated for all ranks from tensors alone.
@Suite("bagua does what its formulas say", .serialized)
struct BaguaFormulaTests {
  private typealias Case = FormulaCase

  // The formulas

  private static func averagedGradients(_ simulation: inout BaguaSimulation) throws {
    let mean = BaguaSimulation.mean(simulation.gradients)
    simulation.descend(Array(repeating: mean, count: simulation.ranks))
  }

  private static func byteGrad(_ simulation: inout BaguaSimulation) throws {
    let mean = try BaguaSimulation.compressedMean(simulation.gradients, padding: simulation.ranks)
    simulation.descend(Array(repeating: mean, count: simulation.ranks))
  }

  private static func decentralized(every interval: Int = 1, _ average: @escaping ([Tensor], Int) -> [Tensor])
    -> Case.Step
  {
    { simulation in
      let gradients = simulation.gradients
      if simulation.step.isMultiple(of: interval) {
        let averages = average((0..<simulation.ranks).map { simulation.vector($0) }, simulation.step / interval)
        for (rank, vector) in averages.enumerated() { simulation.setWeights(rank, vector) }
      }
      simulation.descend(gradients)
    }
  }

  private static func all(_ vectors: [Tensor], _ turn: Int) -> [Tensor] {
    Array(repeating: BaguaSimulation.mean(vectors), count: vectors.count)
  }

  /// At turn k, rank i of the lower half meets (k + i) mod n/2 of the upper half.
  private static func pairs(_ vectors: [Tensor], _ turn: Int) -> [Tensor] {
    let half = vectors.count / 2
    var result = vectors
    for lower in 0..<half {
      let upper = half + (turn + lower) % half
      let mean = BaguaSimulation.mean([vectors[lower], vectors[upper]])
      (result[lower], result[upper]) = (mean, mean)
    }
    return result
  }

  private static func lowPrecision(every interval: Int = 1) -> Case.Step {
    var replicas: [[Tensor]] = []
    return { simulation in
      let ranks = simulation.ranks
      // Of each rank: its own, its left and its right neighbour's.
      if replicas.isEmpty { replicas = (0..<ranks).map { rank in (0..<3).map { _ in simulation.vector(rank) } } }
      let communicates = simulation.step.isMultiple(of: interval)
      simulation.descend(simulation.gradients)
      guard communicates else { return }
      let sent = try (0..<ranks).map { rank in
        let (own, left, right) = (replicas[rank][0], replicas[rank][1], replicas[rank][2])
        let third = Scalar(1.0 / 3)
        return try BaguaSimulation.quantised(
          simulation.vector(rank) + left * third + right * third - own * Scalar(5.0 / 3))
      }
      for rank in 0..<ranks {
        replicas[rank][0] = replicas[rank][0] + sent[rank]
        replicas[rank][1] = replicas[rank][1] + sent[(rank + ranks - 1) % ranks]
        replicas[rank][2] = replicas[rank][2] + sent[(rank + 1) % ranks]
        simulation.setWeights(rank, replicas[rank][0])
      }
    }
  }

  private static func qAdam(warmup: Int) -> Case.Step {
    var momentum: Tensor?
    var square: Tensor?
    return { simulation in
      let gradients = simulation.gradients
      let zeros = Tensor.zeros([gradients[0].count])
      let (m, v) = (momentum ?? zeros, square ?? zeros)
      let step = simulation.step + 1
      if step <= warmup {
        let mean = BaguaSimulation.mean(gradients)
        momentum = m * 0.9 + mean * 0.1
        square = v * 0.999 + mean * mean * 0.001
      } else {
        momentum = try BaguaSimulation.compressedMean(
          gradients.map { m * 0.9 + $0 * 0.1 }, padding: simulation.ranks)
      }
      let factor = -0.05 / (1 - pow(0.9, Double(step)))
      let root = (square ?? zeros).sqrt() / Scalar((1 - pow(0.999, Double(step))).squareRoot()) + Scalar(1e-8)
      let update = (momentum ?? zeros) / root * Scalar(factor)
      for rank in 0..<simulation.ranks { simulation.setWeights(rank, simulation.vector(rank) + update) }
      simulation.step += 1
    }
  }

  private static func everywhere(_ ranks: Int) -> [Case] {
    [
      Case("ddp", averagedGradients),
      Case("gradient_allreduce", averagedGradients),
      Case("gradient_allreduce,flatten=false,bucket=0.00005", averagedGradients),
      Case("gradient_allreduce,hierarchical=true,bucket=0.00005", averagedGradients),
      Case("gradient_allreduce,average=false") { simulation in
        let sum = BaguaSimulation.mean(simulation.gradients) * Scalar(simulation.ranks)
        simulation.descend(Array(repeating: sum, count: simulation.ranks))
      },
      Case("bytegrad,hierarchical=false", byteGrad),
      Case("bytegrad,hierarchical=false,flatten=false", byteGrad),
      // One node: everything happens inside it, in full precision.
      Case("bytegrad", averagedGradients),
      Case("decentralized,hierarchical=false", decentralized(all)),
      Case("decentralized,communication_interval=2", decentralized(every: 2, all)),
      Case("low_precision_decentralized,hierarchical=false", lowPrecision()),
      Case("low_precision_decentralized,hierarchical=false,communication_interval=2", lowPrecision(every: 2)),
      Case("qadam,hierarchical=false,optimizer=qadam,warmup=2", qAdam(warmup: 2)),
      // All steps are warm-up.
      Case("async,warmup_steps=100", averagedGradients),
    ]
  }

  @Test("two ranks") func two() throws {
    try Case.compare(
      2,
      Self.everywhere(2) + [
        Case(
          "decentralized,hierarchical=false,peer_selection_mode=shift_one,communication_interval=3",
          Self.decentralized(every: 3, Self.pairs))
      ])
  }

  @Test("three ranks") func three() throws { try Case.compare(3, Self.everywhere(3)) }

  @Test("four ranks, in pairs") func four() throws {
    try Case.compare(
      4,
      [
        Case("decentralized,hierarchical=false,peer_selection_mode=shift_one", Self.decentralized(Self.pairs)),
        Case("low_precision_decentralized,hierarchical=false", Self.lowPrecision()),
      ])
  }

  // Nodes

  /// The mean of each node's two vectors.
  private static func nodeMeans(_ vectors: [Tensor]) -> [Tensor] {
    stride(from: 0, to: vectors.count, by: 2).map { BaguaSimulation.mean([vectors[$0], vectors[$0 + 1]]) }
  }

  /// Two vectors of nodes for their four ranks.
  private static func spread(_ nodes: [Tensor]) -> [Tensor] { nodes.flatMap { [$0, $0] } }

  private static func lowPrecisionOverNodes() -> Case.Step {
    var replicas: [[Tensor]] = []
    return { simulation in
      if replicas.isEmpty { replicas = (0..<2).map { _ in (0..<2).map { _ in simulation.vector(0) } } }
      simulation.descend(simulation.gradients)
      let means = nodeMeans((0..<4).map { simulation.vector($0) })
      // Of two nodes, the other one is the neighbour on both sides.
      let sent = try (0..<2).map { node in
        let third = Scalar(1.0 / 3)
        return try BaguaSimulation.quantised(
          means[node] + replicas[node][1] * third + replicas[node][1] * third - replicas[node][0] * Scalar(5.0 / 3))
      }
      for node in 0..<2 {
        replicas[node] = [replicas[node][0] + sent[node], replicas[node][1] + sent[1 - node]]
      }
      for (rank, vector) in spread(replicas.map { $0[0] }).enumerated() { simulation.setWeights(rank, vector) }
    }
  }

  @Test("two nodes of two ranks: reduced inside the nodes, exchanged between their leaders") func nodes() throws {
    try Case.compare(
      4, nodes: 2,
      [
        Case("gradient_allreduce,hierarchical=true", Self.averagedGradients),
        Case("bytegrad") { simulation in
          let mean = try BaguaSimulation.compressedMean(Self.nodeMeans(simulation.gradients), padding: 4)
          simulation.descend(Array(repeating: mean, count: 4))
        },
        Case("decentralized", Self.decentralized { vectors, _ in Self.all(vectors, 0) }),
        Case(
          "decentralized,peer_selection_mode=shift_one",
          Self.decentralized { vectors, turn in Self.spread(Self.pairs(Self.nodeMeans(vectors), turn)) }),
        Case("low_precision_decentralized", Self.lowPrecisionOverNodes()),
        Case("bytegrad,hierarchical=false", Self.byteGrad),
      ])
  }
}
