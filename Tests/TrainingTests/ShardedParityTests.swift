import Testing

/// In float64 the order of sums is all that differs between numbers of ranks: 100 steps stay within 1e-9.
@Suite("Sharded training computes what one device does")
struct ShardedParityTests {
  private static let tolerance = 1e-9

  private func compare(_ common: [String], with others: [(ranks: Int, options: [String])]) throws {
    let alone = try ShardedRun(1, common)
    for other in others {
      try ShardedRun(other.ranks, common + other.options)
        .expectEqual(alone, within: Self.tolerance, "\(other.options) on \(other.ranks)")
    }
  }

  @Test("A hundred steps with accumulation, clipping and a schedule")
  func hundredSteps() throws {
    try compare(
      ["steps=100", "accumulate=2", "clip=0.05", "schedule=cosine"],
      with: [
        (2, ["strategy=ddp_sharded"]), (3, ["strategy=ddp_sharded_spawn_find_unused_parameters_false"]),
        (2, ["strategy=fsdp-units"]), (3, ["strategy=fsdp-units"]), (1, ["strategy=fsdp-units"]),
        (2, ["strategy=engine", "stage=3", "every-micro-batch", "wrap=types"]),
        (2, ["strategy=engine", "stage=1"]), (2, ["strategy=fsdp-none"]), (2, ["strategy=fsdp-keep"]),
        (4, ["strategy=fsdp-hybrid"]),
      ])
  }

  /// Products of bfloat16 numbers are rounded to 8 bits, and other batch sizes give other sums of them.
  @Test("A hundred steps in mixed precision stay close to one device")
  func hundredMixedSteps() throws {
    let options = ["steps=100", "accumulate=2", "clip=0.05", "schedule=cosine", "precision=bf16-mixed"]
    let expected = try ShardedRun(1, options).losses
    for (ranks, strategy) in [(2, "fsdp-units"), (3, "fsdp-units"), (3, "ddp_sharded")] {
      let found = try ShardedRun(ranks, options + ["strategy=\(strategy)"]).losses
      try #require(found.count == expected.count && !found.isEmpty)
      for (step, pair) in zip(found, expected).enumerated() {
        expectClose(pair.0, pair.1, within: 2e-2, "\(strategy) on \(ranks): loss of row \(step)")
      }
    }
  }

  @Test("All layouts and stages, with parameters that several blocks share")
  func layouts() throws {
    try compare(
      ["tied", "optimizer=sgd"],
      with: [
        (3, ["strategy=engine", "stage=3", "layout=per_parameter", "wrap=layers"]),
        (3, ["strategy=engine", "stage=3", "layout=whole_parameters", "wrap=types"]),
        (2, ["strategy=engine", "stage=3", "wrap=nested", "reshard=no"]),
        (3, ["strategy=engine", "stage=3", "wrap=size", "persistence=20", "layout=per_parameter"]),
        (3, ["strategy=engine", "stage=2", "layout=per_parameter"]),
        (2, ["strategy=engine", "stage=1", "layout=whole_parameters"]),
        (2, ["strategy=engine", "stage=3", "wrap=whole"]),
      ])
  }

  @Test("Copies of the model, each over some ranks, with and without freeing parameters")
  func meshes() throws {
    try compare(
      ["clip=0.05"],
      with: [
        (4, ["strategy=fsdp-hybrid"]), (2, ["strategy=fsdp-none"]), (2, ["strategy=fsdp-keep"]),
        (2, ["strategy=fsdp_cpu_offload"]),
      ])
  }

  @Test("Frozen parameters, in front, in between and inside", arguments: ["first", "block", "norm"])
  func frozen(which: String) throws {
    try compare(["frozen=\(which)"], with: [(2, ["strategy=fsdp-units"])])
  }

  @Test("A parameter without a gradient is left alone")
  func unused() throws {
    try compare(
      ["unused=odd", "optimizer=sgd"], with: [(2, ["strategy=fsdp-units"]), (2, ["strategy=ddp_sharded"])])
    let expected = try ShardedRun(2, ["unused=rank", "optimizer=sgd", "strategy=ddp_find_unused_parameters_true"])
    try ShardedRun(2, ["unused=rank", "optimizer=sgd", "strategy=ddp_sharded"])
      .expectEqual(expected, within: Self.tolerance, "used on one rank only")
  }

  @Test("Two optimizers that the module steps by itself")
  func manual() throws {
    try compare(["manual"], with: [(2, ["strategy=fsdp-units"]), (2, ["strategy=ddp_sharded"])])
  }

  @Test("A step that takes gradients by itself, and gradients of them", arguments: ["attack", "penalty"])
  func ownGradients(kind: String) throws {
    try compare(
      ["own=\(kind)"],
      with: [
        (2, ["strategy=fsdp-units"]), (3, ["strategy=engine", "stage=3", "wrap=layers"]), (2, ["strategy=ddp_sharded"]),
      ])
  }

  @Test("Whoever writes into parameters between steps is not overlooked")
  func written() throws {
    try compare(
      ["shrinking"],
      with: [
        (2, ["strategy=ddp_sharded"]), (2, ["strategy=engine", "stage=3", "persistence=20"]),
        (3, ["strategy=fsdp-keep"]),
      ])
  }

  @Test("Mixed precision is that of ddp; float16 agrees on what overflows", arguments: ["bf16-mixed", "fp16"])
  func mixed(precision: String) throws {
    let options = ["precision=\(precision)", "optimizer=sgd", "steps=15"] + (precision == "fp16" ? ["overflow"] : [])
    let expected = try ShardedRun(2, options + ["strategy=ddp"])
    for strategy in ["fsdp-units", "ddp_sharded"] {
      try ShardedRun(2, options + ["strategy=\(strategy)"]).expectEqual(expected, within: 1e-6, strategy)
    }
  }

  @Test("Low precision where it is asked for")
  func lowPrecision() throws {
    let alone = try ShardedRun(1, ["precision=32-true"])
    let options = ["precision=32-true", "strategy=engine", "stage=3"]
    try ShardedRun(2, options + ["reduce-type=bf16"]).expectEqual(alone, within: 1e-2, "gradients in bfloat16")
    let pure = ["precision=bf16-true", "strategy=engine", "stage=3", "master-type=fp32"]
    let losses = try ShardedRun(2, pure).losses
    for (found, expected) in zip(losses, try alone.losses) {
      expectClose(found, expected, within: 3e-2, "bfloat16 with a copy in float32")
    }
  }
}
