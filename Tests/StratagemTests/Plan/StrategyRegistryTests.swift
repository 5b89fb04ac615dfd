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
    try registry.register("horovod", summary: "mine") {
      DescribedStrategy(.init(name: "horovod", processes: .onePerDevice))
    }
    #expect(try resolve(RunRequest(strategy: "horovod", devices: 2), registry: registry).worldSize == 2)
  }

  @Test("the alias table names each alias once, in lower case, with a line about it")
  func table() {
    let names = StrategyAlias.all.map(\.name)
    #expect(Set(names).count == names.count)
    #expect(names.count == 49)
    let available = StrategyAlias.all.filter { $0.availability == .available }.map(\.name)
    #expect(available.sorted() == builtInRegistry().names)
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
}
