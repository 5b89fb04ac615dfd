import Stratagem
import Testing
import Torch

@Suite("Device grammar")
struct DeviceGrammarTests {
  struct Accepted: CustomTestStringConvertible, Sendable {
    var request: DeviceRequest
    var indices: [Int]
    var testDescription: String { "\(request)" }
  }

  @Test(
    "what is accepted on 8 GPUs",
    arguments: [
      Accepted(request: 1, indices: [0]),
      Accepted(request: 3, indices: [0, 1, 2]),
      Accepted(request: "3", indices: [0, 1, 2]),
      Accepted(request: " 8 ", indices: Array(0..<8)),
      Accepted(request: -1, indices: Array(0..<8)),
      Accepted(request: "-1", indices: Array(0..<8)),
      Accepted(request: [1, 3], indices: [1, 3]),
      Accepted(request: [7], indices: [7]),
      Accepted(request: [3, 1], indices: [3, 1]),
      Accepted(request: "1, 3", indices: [1, 3]),
      Accepted(request: "0,2", indices: [0, 2]),
      Accepted(request: "2,", indices: [2]),
      Accepted(request: "0,", indices: [0]),
      Accepted(request: "auto", indices: Array(0..<8)),
      Accepted(request: "AUTO", indices: Array(0..<8)),
      Accepted(request: .auto, indices: Array(0..<8)),
    ])
  func accepted(_ row: Accepted) throws {
    let plan = try resolve(RunRequest(accelerator: .gpu, devices: row.request), on: Machine.eightGPUs)
    #expect(plan.devices == row.indices.map { Device.cuda($0) })
    #expect(plan.strategyName == (row.indices.count == 1 ? "single_device" : "ddp"))
  }

  struct Refused: CustomTestStringConvertible, Sendable {
    var request: DeviceRequest
    var message: String
    var testDescription: String { "\(request)" }
  }

  @Test(
    "what is refused on 8 GPUs",
    arguments: [
      Refused(request: 0, message: "devices: 0 asks for no device at all"),
      Refused(request: "0", message: #"devices: "0" asks for no device at all"#),
      Refused(request: [], message: "devices: the list is empty"),
      Refused(request: "", message: "devices: the text is empty"),
      Refused(request: -2, message: "devices: -2 asks for a negative number of devices"),
      Refused(request: "-2", message: #"devices: "-2" asks for a negative number of devices"#),
      Refused(request: [-1], message: "devices: [-1] has the negative index -1"),
      Refused(request: "0, -1", message: #"devices: "0, -1" has the negative index -1"#),
      Refused(request: "1.5", message: #"devices: "1.5" has '1.5' where a whole number belongs"#),
      Refused(request: "two", message: #"devices: "two" has 'two' where a whole number belongs"#),
      Refused(request: "0, two", message: #"devices: "0, two" has 'two' where a whole number belongs"#),
      Refused(request: "0,,1", message: #"devices: "0,,1" has an empty place where a whole number belongs"#),
      Refused(request: ",", message: #"devices: "," has an empty place where a whole number belongs"#),
      Refused(request: [0, 0], message: "devices: [0, 0] names index 0 more than once"),
      Refused(request: "1, 2, 1", message: #"devices: "1, 2, 1" names index 1 more than once"#),
      Refused(request: 9, message: "devices: 9 asks for 9 GPUs, but this machine has 8"),
      Refused(request: [6, 8, 9], message: "devices: [6, 8, 9] names cuda:8, cuda:9, but this machine has 8 GPUs"),
    ])
  func refused(_ row: Refused) throws {
    let found = problems(RunRequest(accelerator: .gpu, devices: row.request), on: Machine.eightGPUs)
    let problem = try #require(found.count == 1 ? found[0] : nil, "\(found)")
    #expect(problem.parameter == "devices")
    #expect(problem.message == row.message)
    #expect(problem.suggestion != nil)
  }

  @Test("on processors devices are processes", arguments: [(DeviceRequest.auto, 1), (1, 1), (2, 2), ("2", 2), (5, 5)])
  func processes(_ request: DeviceRequest, _ count: Int) throws {
    let plan = try resolve(RunRequest(accelerator: .cpu, devices: request))
    #expect(plan.devices == Array(repeating: .cpu, count: count))
    #expect(plan.worldSize == count)
    #expect(plan.warnings.contains { $0.contains("2 CPU cores") } == (count > 2))
  }

  @Test("lists and -1 mean nothing on processors", arguments: [[0, 2] as DeviceRequest, "0, 2", -1, 0, "two", "1.5"])
  func refusedOnProcessors(_ request: DeviceRequest) {
    let found = problems(RunRequest(accelerator: .cpu, devices: request))
    #expect(found.map(\.parameter) == ["devices"])
  }

  @Test("a number of processes that no machine could run is an error, not a crash")
  func absurd() {
    let found = problems(RunRequest(accelerator: .cpu, devices: .count(.max)))
    #expect(found.map(\.message) == ["devices: \(Int.max) asks for more than 4096 processes on one node"])
    let nodes = problems(RunRequest(accelerator: .cpu, devices: 2, numNodes: .max))
    #expect(nodes.map(\.parameter) == ["numNodes"])
    let started = ["LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "\(Int.max)"]
    #expect(problems(RunRequest(accelerator: .cpu), environment: started).map(\.parameter) == ["LOCAL_WORLD_SIZE"])
    let many = ["LOCAL_RANK": "0", "WORLD_SIZE": "5000"]
    #expect(problems(RunRequest(accelerator: .cpu), environment: many).map(\.parameter) == ["devices"])
    for name in ["NODE_RANK", "RANK", "LOCAL_RANK"] {
      let environment = ["LOCAL_RANK": "0"].merging([name: "\(Int.max)"]) { _, new in new }
      let request = RunRequest(strategy: .ddp, accelerator: .cpu, devices: 2)
      #expect(problems(request, environment: environment).map(\.parameter) == [name])
    }
  }

  @Test("a list on processors is answered with the number to write")
  func listOnProcessors() {
    let found = problems(RunRequest(accelerator: .cpu, devices: [0, 2]))
    #expect(found.first?.suggestion == "write the number of processes: devices: 2")
  }

  @Test("what is written is checked even without the hardware")
  func grammarWithoutHardware() {
    let found = problems(RunRequest(accelerator: .gpu, devices: "two"))
    #expect(found.map(\.parameter) == ["accelerator", "devices"])
    #expect(problems(RunRequest(accelerator: .gpu, devices: 9)).map(\.parameter) == ["accelerator"])
  }

  @Test(
    "TPU cores are taken one, all, or one by index",
    arguments: [(1, true), (8, true), ([3], true), (4, false), ([0, 1], false), ([8], false)] as [(DeviceRequest, Bool)]
  )
  func tpuCores(_ request: DeviceRequest, _ accepted: Bool) {
    let found = problems(RunRequest(accelerator: .tpu, devices: request), on: Machine.tpuPod)
    #expect(found.map(\.parameter) == (accepted ? [] : ["devices"]))
  }

  @Test(
    "Gaudi processors and IPUs are taken by number",
    arguments: [(4, true), (-1, true), ("auto", true), (9, false), ([0], false)] as [(DeviceRequest, Bool)])
  func counted(_ request: DeviceRequest, _ accepted: Bool) {
    for (kind, machine) in [("hpu", Machine.gaudi), ("ipu", Machine.graphcore)] {
      let found = problems(RunRequest(accelerator: kind, devices: request), on: machine)
      #expect(found.map(\.parameter) == (accepted ? [] : ["devices"]))
    }
  }

  @Test("a strategy object's own devices are used, and checked")
  func heldDevices() throws {
    let holding = { (devices: [Device]) in DescribedStrategy.ddp(holding: .init(devices: devices)) }
    let plan = try resolve(RunRequest(strategy: holding([.cuda(1), .cuda(5)])), on: Machine.eightGPUs)
    #expect(plan.devices == [.cuda(1), .cuda(5)])
    #expect(plan.accelerator == .cuda)
    let absent = problems(RunRequest(strategy: holding([.cuda(8)])), on: Machine.eightGPUs)
    #expect(absent.map(\.message) == ["the strategy was given the device cuda:8, but this machine has 8 GPUs"])
  }
}
