import Testing
import Torch
import TorchDistributed

@testable import Stratagem

@Suite("Algorithms of bagua by name")
struct BaguaAlgorithmTests {
  private func problem(_ name: String, _ options: [String: StrategyOption] = [:]) -> ConfigurationError.Problem? {
    do throws(ConfigurationError) {
      _ = try BaguaStrategy(algorithm: name, options)
      return nil
    } catch {
      return error.problems.first
    }
  }

  @Test("every name of Lightning makes its algorithm, with its options")
  func names() throws {
    #expect(
      BaguaAlgorithm.names == [
        "gradient_allreduce", "bytegrad", "decentralized", "low_precision_decentralized", "qadam", "async",
      ])
    for name in BaguaAlgorithm.names {
      let strategy = try BaguaStrategy(algorithm: name.uppercased())
      #expect(strategy.algorithm.name == name)
      #expect(strategy.strategyDescription.name == "bagua")
      let option: StrategyOption? = name == "gradient_allreduce" ? nil : .text(name)
      #expect(strategy.strategyDescription.options["algorithm"] == option)
      // As in Bagua.
      #expect(strategy.algorithm.isHierarchical == !["gradient_allreduce", "async"].contains(name))
    }
    let pairs = try BaguaAlgorithm.named(
      "decentralized", ["hierarchical": false, "peer_selection_mode": "shift_one", "communication_interval": 3])
    #expect(!pairs.isHierarchical && !pairs.keepsRanksEqual)
    _ = try BaguaAlgorithm.named("async", ["sync_interval_ms": 20, "warmup_steps": 5, "peer_selection_mode": "all"])
  }

  @Test("what is not known is told with the nearest name")
  func unknown() {
    let name = problem("bytegrat")
    #expect(name?.message == "bagua has no algorithm 'bytegrat'")
    #expect(name?.suggestion?.hasPrefix("did you mean 'bytegrad'? known: bytegrad, ") == true)
    let option = problem("bytegrad", ["hierarchicall": true])
    #expect(option?.message == "algorithm 'bytegrad' has no option 'hierarchicall'")
    #expect(option?.suggestion == "did you mean 'hierarchical'? it has: hierarchical, average")
    let mode = problem("decentralized", ["peer_selection_mode": "shift_on"])
    #expect(mode?.suggestion == "did you mean 'shift_one'? known: all, shift_one")
    #expect(problem("async", ["sync_interval_ms": "soon"])?.suggestion == "give a whole number")
    #expect(problem("async", ["peer_selection_mode": "shift_one"])?.message.contains("over all ranks") == true)
    #expect(problem("qadam", ["hierarchical": 1])?.suggestion == "give true or false")
  }

  private func problems(_ strategy: BaguaStrategy, devices: Int, numNodes: Int = 1) -> [String] {
    do {
      let request = RunRequest(strategy: strategy, accelerator: .cpu, devices: .count(devices), numNodes: numNodes)
      let variables = numNodes == 1 ? [:] : ["MASTER_ADDR": "a", "MASTER_PORT": "5", "NODE_RANK": "0"]
      strategy.plan = try resolve(request, environment: variables)
      _ = try strategy.configureLauncher()
      return []
    } catch let error as ConfigurationError {
      return error.problems.map(\.message)
    } catch {
      return ["\(error)"]
    }
  }

  @Test("a size of the run, or a number, that an algorithm cannot work with is told before processes are started")
  func sizes() {
    let pairs = BaguaStrategy(algorithm: .decentralized(hierarchical: false, peers: .shiftOne))
    #expect(problems(pairs, devices: 2).isEmpty && problems(pairs, devices: 1).isEmpty)
    #expect(problems(pairs, devices: 3) == ["decentralized with shift_one pairs the ranks, but there are 3"])
    let nodes = BaguaStrategy(algorithm: .decentralized(peers: .shiftOne))
    #expect(problems(nodes, devices: 3).isEmpty)
    #expect(
      problems(nodes, devices: 2, numNodes: 3) == ["decentralized with shift_one pairs the nodes, but there are 3"])
    let rare = BaguaStrategy(algorithm: .lowPrecisionDecentralized(communicationInterval: 0))
    #expect(problems(rare, devices: 2) == ["communicationInterval is 0"])
    let scattered = BaguaStrategy(algorithm: .async(syncInterval: 0, warmupSteps: -1), flatten: false)
    #expect(
      problems(scattered, devices: 2)
        == ["algorithm 'async' works on flat weights", "syncInterval is 0 ms", "warmupSteps is -1"])
    #expect(problems(BaguaStrategy(bucketMegabytes: -1), devices: 2) == ["bucketMegabytes is -1.0"])
  }

  @Test("ranks meet in pairs, each pair once in n/2 turns", arguments: [2, 4, 6, 8])
  func pairs(size: Int) {
    for turn in 0..<size {
      for rank in 0..<size {
        let peer = Decentralized.peer(of: rank, among: size, turn: turn)
        #expect(Decentralized.peer(of: peer, among: size, turn: turn) == rank)
        #expect((rank < size / 2) != (peer < size / 2))
      }
    }
    let met = Set((0..<size / 2).map { Decentralized.peer(of: 0, among: size, turn: $0) })
    #expect(met.count == size / 2)
  }

  @Test("reductions by Bagua's names")
  func reductions() throws {
    let names = ["sum", "avg", "mean", "min", "max", "product", "band", "bor", "BXOR"]
    let operations = try names.map { try ReduceOperation.named($0) }
    #expect(Set(operations).count == 8)
    let error = #expect(throws: ConfigurationError.self) { try ReduceOperation.named("prodct") }
    #expect(error?.problems[0].suggestion?.hasPrefix("did you mean 'product'? known: sum, avg, ") == true)
  }
}
