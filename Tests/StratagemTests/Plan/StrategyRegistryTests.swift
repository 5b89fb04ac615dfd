import Stratagem
import Testing

@Suite("Strategy registry")
struct StrategyRegistryTests {
  @Test("a registered strategy is chosen by name, whatever the case")
  func registers() throws {
    let registry = builtInRegistry()
    try registry.register("DDP_half", summary: "DDP, bfloat16 gradients") { DescribedStrategy.ddp(["half": true]) }
    #expect(registry.names.contains("ddp_half"))
    let request = RunRequest(strategy: "ddp_HALF", accelerator: .cpu, devices: 2)
    let plan = try resolve(request, registry: registry)
    #expect(plan.strategyAlias == "ddp_half")
    #expect(plan.description.hasPrefix("ddp_half (half: true) on 2 processes"))
    let made = try plan.makeStrategy(for: request, registry: registry)
    #expect(made.strategyDescription == plan.strategy)
    #expect(try registry.entry(of: "ddp_half").summary == "DDP, bfloat16 gradients")
  }

  @Test("a name that is taken, reserved or malformed is refused", arguments: ["ddp", "DDP", "auto", "", "a b", "a,b"])
  func refuses(_ name: String) throws {
    let registry = builtInRegistry()
    let names = registry.names
    #expect(throws: ConfigurationError.self) {
      try registry.register(name, summary: "") { DescribedStrategy.ddp() }
    }
    #expect(registry.names == names)
  }

  @Test("a strategy can be replaced and removed")
  func replaces() throws {
    let registry = builtInRegistry()
    try registry.register("ddp", summary: "mine", replacing: true) {
      DescribedStrategy(.init(name: "mine", processes: .one))
    }
    #expect(try registry.description(of: "ddp").name == "mine")
    #expect(registry.remove("DDP"))
    #expect(!registry.remove("ddp"))
    #expect(problems(RunRequest(strategy: "ddp", accelerator: .cpu), registry: registry).count == 1)
  }

  @Test("a third party can supply a strategy that the library only knows by name")
  func planned() throws {
    let registry = builtInRegistry()
    try registry.register("hivemind", summary: "mine") {
      DescribedStrategy(.init(name: "hivemind", processes: .onePerDevice))
    }
    let request = RunRequest(strategy: "hivemind", devices: 2)
    let plan = try resolve(request, registry: registry)
    #expect(plan.worldSize == 2)
    #expect(try plan.makeStrategy(for: request, registry: registry) is DescribedStrategy)
    #expect(throws: ConfigurationError.self) {
      try registry.register("hivemind", summary: "another") { DescribedStrategy.ddp() }
    }
  }

  @Test("the alias table names each alias once, in lower case, with a line about it")
  func table() {
    let names = StrategyAlias.all.map(\.name)
    #expect(Set(names).count == names.count)
    #expect(names.count == 49)
    let available = StrategyAlias.all.filter { $0.availability == .available }.map(\.name)
    #expect(available.sorted() == builtInRegistry().availableNames)
    let rejected = StrategyAlias.all.filter { $0.availability != .available && $0.availability != .planned }
    #expect(builtInRegistry().names == Set(names).subtracting(rejected.map(\.name)).sorted())
    for alias in StrategyAlias.all {
      #expect(alias.name == alias.name.lowercased() && !alias.summary.isEmpty)
      #expect(names.contains(alias.canonical))
      #expect(StrategyAlias.named(alias.name.uppercased()) == alias)
    }
  }

  @Test("the shared registry has every available alias, made with its presets")
  func shared() throws {
    for alias in StrategyAlias.all where alias.availability == .available {
      let description = try StrategyRegistry.shared.description(of: alias.name)
      #expect(description.name == alias.canonical)
      for (option, value) in alias.presets { #expect(description.options[option] ?? value == value) }
    }
  }

  @Test("entries are listed with a line about each, planned ones marked")
  func lists() throws {
    let entries = builtInRegistry().entries
    #expect(entries.map(\.name) == entries.map(\.name).sorted())
    #expect(entries.allSatisfy { !$0.summary.isEmpty })
    #expect(entries.first { $0.name == "ddp" }?.isAvailable == true)
    #expect(entries.first { $0.name == "hivemind" }?.isAvailable == false)
    let registry = builtInRegistry()
    #expect(registry.remove("hivemind"))
    #expect(!registry.names.contains("hivemind"))
    let error = #expect(throws: ConfigurationError.self) { try registry.make("hivemind") }
    #expect(error?.problems.first?.message == "no strategy named 'hivemind'")
  }

  @Test("a strategy that wraps another has a spelling of its own, and wraps names as well as objects")
  func decorators() throws {
    let named = try resolve(RunRequest(strategy: .announced("ddp"), accelerator: .cpu, devices: 2))
    #expect(named.strategyName == "announced ddp" && named.worldSize == 2)
    #expect(named.strategyOptions.isEmpty && named.strategyAlias == nil)
    let twice = try AnnouncedStrategy.announced(.announced(DescribedStrategy.ddp(["findUnusedParameters": true])))
    let plan = try resolve(RunRequest(strategy: twice, accelerator: .cpu, devices: 2))
    #expect("\(plan)".hasPrefix("announced announced ddp (findUnusedParameters: true) on 2 processes"))
    #expect(throws: ConfigurationError.self) { try AnnouncedStrategy.announced("dpp") }
    #expect(throws: ConfigurationError.self) { try AnnouncedStrategy.announced("auto") }
  }
}

/// A strategy that wraps another.
private final class AnnouncedStrategy: StrategyDescribing, StrategyConvertible {
  let base: any StrategyDescribing
  init(_ base: any StrategyDescribing) { self.base = base }
  var strategyReference: StrategyReference { .instance(self) }
  var strategyDescription: StrategyDescription {
    var description = base.strategyDescription
    description.name = "announced " + description.name
    return description
  }
}

extension StrategyConvertible where Self == AnnouncedStrategy {
  fileprivate static func announced(_ base: any StrategyConvertible) throws -> AnnouncedStrategy {
    AnnouncedStrategy(try base.strategyReference.make())
  }
}
