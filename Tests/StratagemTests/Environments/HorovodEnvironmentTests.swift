import Testing

@testable import Stratagem

@Suite("Processes of horovodrun and of mpirun under horovod")
struct HorovodEnvironmentTests {
  static let variables = [
    "HOROVOD_RANK": "3", "HOROVOD_SIZE": "4", "HOROVOD_LOCAL_RANK": "1", "HOROVOD_LOCAL_SIZE": "2",
    "HOROVOD_CROSS_RANK": "1", "HOROVOD_CROSS_SIZE": "2", "HOROVOD_GLOO_RENDEZVOUS_ADDR": "node0",
    "HOROVOD_GLOO_RENDEZVOUS_PORT": "4321",
  ]

  private func plan(_ variables: [String: String], devices: DeviceRequest = .auto) throws -> RunPlan {
    try RunPlan.resolve(
      RunRequest(strategy: "horovod", accelerator: "cpu", devices: devices), environment: variables,
      hardware: HardwareInventory(cpuCount: 8))
  }

  @Test("Where a process stands")
  func place() throws {
    // Also inside an allocation of SLURM, whose variables are there, too.
    let found = try ClusterEnvironments.detect(ClusterDetectionTests.slurm.merging(Self.variables) { $1 })
    #expect(found is HorovodEnvironment && found.name == "horovodrun" && found.createsProcessesExternally)
    #expect(found.worldSize == 4 && found.globalRank == 3 && found.localRank == 1 && found.nodeRank == 1)
    #expect(found.localWorldSize == 2 && found.mainAddress == "node0")
    let port = try #require(found.mainPort)
    #expect((15000..<32000).contains(port))
    let other = Self.variables.merging(["HOROVOD_RANK": "0", "HOROVOD_LOCAL_RANK": "0"]) { $1 }
    #expect(try HorovodEnvironment(other).mainPort == port)
    let moved = Self.variables.merging(["MASTER_ADDR": "first", "MASTER_PORT": "77"]) { $1 }
    #expect(try HorovodEnvironment(moved).mainAddress == "first" && HorovodEnvironment(moved).mainPort == 77)
    let few = ["HOROVOD_RANK": "1", "HOROVOD_SIZE": "2"]
    #expect(try HorovodEnvironment(few).localRank == 1 && HorovodEnvironment(few).mainAddress == "127.0.0.1")
    #expect(!HorovodEnvironment.describes(["HOROVOD_FUSION_THRESHOLD": "1"]))
  }

  @Test("Variables that do not fit")
  func wrong() {
    func problem(_ changes: [String: String?]) -> String {
      var variables = Self.variables
      for (name, value) in changes { variables[name] = value }
      do throws(ConfigurationError) {
        _ = try HorovodEnvironment(variables)
        return "none"
      } catch {
        return error.problems[0].message
      }
    }
    #expect(problem(["HOROVOD_SIZE": nil]).hasSuffix("HOROVOD_SIZE is not set"))
    #expect(problem(["HOROVOD_RANK": "4"]) == "HOROVOD_RANK is 4, but HOROVOD_SIZE is 4")
    #expect(problem(["HOROVOD_RANK": "x"]).contains("HOROVOD_RANK is 'x'"))
    #expect(problem(["HOROVOD_GLOO_RENDEZVOUS_ADDR": nil]).contains("the nodes cannot find each other"))
  }

  @Test("The launcher says how many nodes there are")
  func nodes() throws {
    let own = try plan(Self.variables)
    #expect(own.worldSize == 4 && own.numNodes == 2 && own.processesPerNode == 2 && own.rank == 3 && own.localRank == 1)
    #expect(!own.startsProcesses)
    let mpi = ClusterDetectionTests.openMPI.merging(["MASTER_ADDR": "a", "MASTER_PORT": "5"]) { $1 }
    let other = try plan(mpi, devices: 2)
    #expect(other.worldSize == 4 && other.numNodes == 2 && other.rank == 3)
    #expect(throws: ConfigurationError.self) { try plan(ClusterDetectionTests.openMPI) }
    #expect(throws: ConfigurationError.self) { try plan(Self.variables, devices: 3) }
  }

  @Test("Without a launcher this process starts the others; nothing is chosen because variables are there")
  func alone() throws {
    let own = try plan([:], devices: 2)
    #expect(own.worldSize == 2 && own.startsProcesses)
    let unasked = try RunPlan.resolve(
      RunRequest(accelerator: "cpu"),
      environment: Self.variables.merging([
        "HOROVOD_CROSS_SIZE": "1", "HOROVOD_LOCAL_SIZE": "4", "HOROVOD_LOCAL_RANK": "3", "HOROVOD_CROSS_RANK": "0",
      ]) { $1 },
      hardware: HardwareInventory(cpuCount: 8))
    #expect(unasked.strategyName == "ddp")
  }
}
