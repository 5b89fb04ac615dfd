import Testing
import Torch
import TorchNN

@testable import Stratagem

@Suite("Units of a model")
struct ShardingPlanTests {
  private final class Block: Layer<Tensor, Tensor> {
    let fc1 = Linear(8, 16)
    let fc2 = Linear(16, 8)
    override func forward(_ input: Tensor) -> Tensor { fc2(fc1(input)) }
  }

  private final class Model: Module {
    let stem = Linear(4, 8)
    let blocks = [Block(), Block()]
    let head = Linear(8, 3)
  }

  /// Names of the units and of their parameters.
  private func shown(_ plan: ShardingPlan) -> [[String]] {
    plan.units.map { [$0.name] + $0.parameters.map(\.name) }
  }

  private func plan(_ model: Module, _ policy: WrapPolicy, persistence: Int = 0) throws -> ShardingPlan {
    try ShardingPlan(wrapping: model, policy, persistence: persistence, buckets: 1 << 20)
  }

  private static let root = ["", "stem.weight", "stem.bias", "head.weight", "head.bias"]
  private static func block(_ index: Int) -> [String] {
    ["blocks.\(index)"] + ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"].map { "blocks.\(index).\($0)" }
  }

  @Test("Blocks in a list are units, the rest is one")
  func automatic() throws {
    #expect(try shown(plan(Model(), .automatic(minimum: 200))) == [Self.root, Self.block(0), Self.block(1)])
    let small = try plan(Model(), .automatic())
    #expect(small.units.count == 1 && small.units[0].parameters.count == 12)
  }

  @Test("By type, by closure and by size")
  func policies() throws {
    #expect(try shown(plan(Model(), .modules(of: Block.self))) == [Self.root, Self.block(0), Self.block(1)])
    #expect(try shown(plan(Model(), .modules { name, _ in name == "blocks.1" })).map(\.[0]) == ["", "blocks.1"])
    let linear = try plan(Model(), .modules(of: Linear.self))
    #expect(linear.units.count == 6 && linear.units.allSatisfy { $0.parameters.count == 2 })
    // 280 in a block, of which neither layer has 200.
    #expect(try shown(plan(Model(), .size(atLeast: 200))) == [Self.root, Self.block(0), Self.block(1)])
    #expect(try plan(Model(), .size(atLeast: 140)).units.map(\.name).contains("blocks.0.fc1"))
  }

  @Test("A policy that matches nothing names what there is")
  func nothing() {
    for policy in [WrapPolicy.modules(of: Embedding.self), .size(atLeast: 1_000_000), .modules { _, _ in false }] {
      let error = #expect(throws: ConfigurationError.self) { try plan(Model(), policy) }
      let text = error.map { "\($0)" } ?? ""
      #expect(text.contains("matches nothing") && text.contains("Block") && text.contains(".automatic()"))
    }
  }

  @Test("A parameter that two units share belongs to what holds both")
  func shared() throws {
    #expect(ShardingPlan.home(of: ["a.w"], ["a", "b"]) == 1)
    #expect(ShardingPlan.home(of: ["a.w", "b.w"], ["a", "b"]) == 0)
    #expect(ShardingPlan.home(of: ["a.x.w", "a.y.w"], ["a", "a.x", "a.y"]) == 1)
    #expect(ShardingPlan.home(of: ["ab.w"], ["a"]) == 0)
    let model = Model()
    model.blocks[1].fc1.$weight.tensor = model.blocks[0].fc1.$weight.tensor
    let plan = try plan(model, .modules(of: Block.self))
    let tied = try #require(plan.units[0].parameters.first { $0.name == "blocks.0.fc1.weight" })
    #expect(tied.holders.count == 2)
    #expect(plan.units.flatMap(\.parameters).count == 11)
  }

  @Test("Frozen parameters and other types have units of their own, small ones stay gathered")
  func kinds() throws {
    let model = Model()
    model.blocks[0].fc1.freeze()
    model.head.to(.float64)
    let plan = try plan(model, .modules(of: Block.self), persistence: 9)
    #expect(plan.units.map(\.isFreed) == [true, true, true, true, true, false, false])
    #expect(plan.units.filter { !$0.isFreed }.flatMap(\.parameters).allSatisfy { $0.count < 9 })
    for unit in plan.units { #expect(Set(unit.parameters.map { "\($0.dtype) \($0.isTrained)" }).count == 1) }
  }

  @Test("Groups of at most so many bytes in the order of the model")
  func buckets() throws {
    let plan = try ShardingPlan(buckets: 4 * 150, of: Model())
    #expect(plan.units.flatMap(\.parameters).map(\.name) == Model().namedParameters().map(\.name))
    for unit in plan.units { #expect(unit.parameters.reduce(0) { $0 + $1.count } <= 150) }
    #expect(try ShardingPlan(buckets: 1, of: Model()).units.count == 12)
  }
}
