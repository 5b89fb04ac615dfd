import Foundation
import Testing
import Torch

/// A configuration of the probe's scenario `bagua`, and what its formula does to the simulation in one step.
struct FormulaCase {
  typealias Step = (inout BaguaSimulation) throws -> Void

  /// The steps that each configuration takes.
  static let steps = 6

  let configuration: String
  let step: Step

  init(_ configuration: String, _ step: @escaping Step) {
    self.configuration = configuration
    self.step = step
  }

  /// Runs the configurations in processes of this machine and compares the weights of every rank after every step.
  ///
  /// - Parameter byHorovod: whether the processes are those of horovodrun.
  static func compare(_ ranks: Int, nodes: Int = 1, byHorovod: Bool = false, _ cases: [FormulaCase]) throws {
    let folder = try TemporaryFolder()
    let options = ["ranks=\(ranks)"] + cases.enumerated().map { "\($0.offset)=\($0.element.configuration)" }
    let runs = try (byHorovod ? NodeRuns.runByHorovod : NodeRuns.run)("bagua", nodes, ranks / nodes, options, folder)
    for run in runs { try run.succeeded() }
    for (number, item) in cases.enumerated() { try item.compare(folder, number, ranks) }
    // Nothing goes on when a fit has ended.
    let lines = runs.flatMap(\.run.outputLines).filter { $0.contains("configuration") }
    #expect(lines.count == ranks * cases.count && lines.allSatisfy { $0.hasSuffix(": 0 threads") }, "\(lines)")
  }

  private func compare(_ folder: TemporaryFolder, _ number: Int, _ ranks: Int) throws {
    func saved(_ rank: Int, _ step: Int) throws -> [Tensor] {
      let state = try Safetensors.load("\(folder.path)/\(number)/\(rank).\(step).safetensors")
      return try BaguaSimulation.names.map { try #require(state[$0]) }
    }
    var simulation = BaguaSimulation(try saved(0, 0), ranks: ranks)
    var distances: [Double] = []
    for step in 1...Self.steps {
      try self.step(&simulation)
      for rank in 0..<ranks {
        let difference = BaguaSimulation.vector(try saved(rank, step)) - simulation.vector(rank)
        distances.append(try difference.abs().max().scalar())
      }
    }
    #expect(distances.allSatisfy { $0 < 2e-6 }, "\(configuration) on \(ranks): \(distances)")
    // The test would also pass if nothing had been learned.
    let moved = try (simulation.vector(0) - BaguaSimulation.vector(try saved(0, 0))).abs().max().scalar()
    #expect(moved > 1e-3)
  }
}
