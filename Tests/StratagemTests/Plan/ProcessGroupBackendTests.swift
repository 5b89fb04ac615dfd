import Testing
import Torch
import TorchDistributed

@testable import Stratagem

@Suite("The backend of the process group in a plan")
struct ProcessGroupBackendTests {
  private static let variable = "PL_TORCH_DISTRIBUTED_BACKEND"
  /// The names of all strategies of several processes.
  private static let distributed = StrategyRegistry.shared.availableNames.filter { $0 != "single_device" && $0 != "dp" }

  private func cpuBuild() -> HardwareInventory {
    HardwareInventory(cpuCount: 2, hasCUDABuild: false, ncclProblem: "libtorch is a build for CPUs")
  }

  @Test("is NCCL on GPUs and Gloo on processors", arguments: distributed)
  func usual(_ name: String) throws {
    let gpus = try resolve(RunRequest(strategy: name, accelerator: .cuda, devices: 4), on: Machine.eightGPUs)
    #expect(gpus.processGroupBackend == .nccl && gpus.warnings == [])
    let cpus = try resolve(RunRequest(strategy: name, accelerator: .cpu, devices: 2))
    #expect(cpus.processGroupBackend == .gloo)
  }

  @Test("is nothing for one process")
  func single() throws {
    #expect(try resolve(RunRequest(accelerator: .cuda), on: Machine.oneGPU).processGroupBackend == nil)
    #expect(try resolve(RunRequest(strategy: "dp", accelerator: .cpu, devices: 2)).processGroupBackend == nil)
  }

  @Test("is what the strategy was made with, whatever the variable says")
  func chosen() throws {
    let environment = [Self.variable: "nccl"]
    for strategy: ParallelStrategy in [
      DDPStrategy(processGroupBackend: .gloo), DDP2Strategy(processGroupBackend: .gloo),
      DDPShardedStrategy(processGroupBackend: .gloo), FSDPStrategy(processGroupBackend: .gloo),
      DeepSpeedStrategy(stage: 3, processGroupBackend: .gloo), HorovodStrategy(processGroupBackend: .gloo),
      BaguaStrategy(processGroupBackend: .gloo),
    ] {
      let request = RunRequest(strategy: strategy, accelerator: .cuda, devices: 2)
      let plan = try resolve(request, on: Machine.eightGPUs, environment: environment)
      #expect(plan.processGroupBackend == .gloo, "\(plan.strategyName)")
      #expect("\(plan)".contains("processGroupBackend: gloo"))
    }
  }

  @Test("is what the variable says", arguments: ["gloo", "GLOO", "cpu:gloo,cuda:nccl"])
  func variable(_ name: String) throws {
    let request = RunRequest(strategy: .ddp, accelerator: .cuda, devices: 2)
    let plan = try resolve(request, on: Machine.eightGPUs, environment: [Self.variable: name])
    #expect(plan.processGroupBackend == (name.hasSuffix("nccl") ? .nccl : .gloo))
    let unset = try resolve(request, on: Machine.eightGPUs, environment: [Self.variable: ""])
    #expect(unset.processGroupBackend == .nccl)
  }

  @Test("that there is not here is refused")
  func unknown() {
    let found = problems(RunRequest(strategy: .ddp, accelerator: .cpu), environment: [Self.variable: "mpi"])
    #expect(found.map(\.parameter) == [Self.variable])
    #expect(found.first?.message == "PL_TORCH_DISTRIBUTED_BACKEND=mpi is no backend of process groups here")
    #expect(found.first?.suggestion == "write gloo or nccl")
  }

  @Test("NCCL without GPUs says what is missing")
  func withoutGPU() {
    func found(
      on machine: HardwareInventory, environment: [String: String] = [:]
    ) -> ConfigurationError.Problem? {
      let request = RunRequest(strategy: DDPStrategy(processGroupBackend: .nccl), accelerator: .cpu, devices: 2)
      let found = problems(request, on: machine, environment: environment)
      #expect(found.map(\.parameter) == ["processGroupBackend"])
      return found.first
    }
    let build = found(on: cpuBuild())
    #expect(
      build?.message == "processGroupBackend: nccl moves tensors of GPUs only, and libtorch is a build for CPUs")
    #expect(build?.suggestion?.contains("Scripts/setup") == true)
    let absent = found(on: Machine.laptop)
    #expect(absent?.message.hasSuffix("libtorch sees no GPU") == true)
    #expect(absent?.suggestion?.contains("nvidia-smi") == true)
    let hidden = found(on: Machine.laptop, environment: ["CUDA_VISIBLE_DEVICES": "-1"])
    #expect(hidden?.suggestion?.contains("CUDA_VISIBLE_DEVICES is '-1'") == true)
    let unused = found(on: Machine.eightGPUs)
    #expect(unused?.message.hasSuffix("the accelerator is 'cpu'") == true)
    #expect(unused?.suggestion?.hasPrefix(#"write accelerator: "cuda""#) == true)
  }

  @Test("an accelerator that is not there is told once, with the reason")
  func acceleratorAbsent() {
    let request = RunRequest(strategy: DDPStrategy(processGroupBackend: .nccl), accelerator: .cuda, devices: 2)
    let found = problems(request, on: cpuBuild())
    #expect(found.map(\.parameter) == ["accelerator"])
    #expect(
      found.first?.message == "accelerator 'cuda' is not available on this machine: libtorch is a build for CPUs")
    #expect(found.first?.suggestion?.contains("Scripts/setup") == true)
  }

  @Test("a program without NCCL takes Gloo and says so, unless NCCL was asked for")
  func withoutNCCL() throws {
    var machine = Machine.eightGPUs
    machine.ncclProblem = "this program was built where there was no header nccl.h"
    let plan = try resolve(RunRequest(strategy: .ddp, accelerator: .cuda, devices: 2), on: machine)
    #expect(plan.processGroupBackend == .gloo)
    #expect(plan.warnings.first?.contains("no header nccl.h; tensors of GPUs go through Gloo") == true)
    let asked = problems(
      RunRequest(strategy: FSDPStrategy(processGroupBackend: .nccl), accelerator: .cuda, devices: 2), on: machine)
    #expect(asked.map(\.parameter) == ["processGroupBackend"])
    #expect(asked.first?.message.contains("cannot be used: this program was built where") == true)
  }

  @Test("NCCL has no two ranks on one GPU, Gloo may")
  func sharedDevice() throws {
    let devices: [Device] = [.cuda(1), .cuda(0), .cuda(1)]
    let found = problems(
      RunRequest(strategy: DDPStrategy(accelerator: CUDAAccelerator(), devices: devices)), on: Machine.eightGPUs)
    #expect(found.map(\.message) == ["local ranks 0 and 2 are both on cuda:1, which NCCL refuses"])
    let gloo = DDPStrategy(processGroupBackend: .gloo, accelerator: CUDAAccelerator(), devices: devices)
    #expect(try resolve(RunRequest(strategy: gloo), on: Machine.eightGPUs).devices == devices)
  }

  @Test("a launcher may show each process a GPU of its own, all as cuda:0")
  func oneVisible() throws {
    let environment = RunPlanRanksTests.torchrun(rank: 1, of: 2, localRank: 1, of: 2)
    let request = RunRequest(strategy: .ddp, accelerator: .cuda, devices: 2)
    let plan = try resolve(request, on: Machine.oneGPU, environment: environment)
    #expect(plan.devices == [.cuda(0), .cuda(0)] && plan.processGroupBackend == .nccl)
  }

  @Test("ranks that meet on one GPU then are told apart by its address")
  func claims() throws {
    let store = try Store.server(timeout: 20)
    func claim(_ rank: Int, _ address: String, on machine: String = "a") throws {
      let device = Device.cuda(0)
      try DeviceClaim(rank: rank, device: device, busAddress: address, machine: machine).register(in: store)
    }
    try claim(0, "0000:3b:00.0")
    try claim(1, "0000:5e:00.0")
    try claim(2, "0000:3b:00.0", on: "b")
    let error = #expect(throws: ConfigurationError.self) { try claim(3, "0000:5e:00.0") }
    let problem = try #require(error?.problems.first)
    #expect(problem.parameter == "devices")
    #expect(problem.message.hasPrefix("ranks 1 and 3 are on the same GPU (cuda:0, bus address 0000:5e:00.0)"))
  }

  @Test("a device that the process does not see is refused before anything is set up")
  func setUp() {
    let index = TorchRuntime.cudaDeviceCount
    let error = #expect(throws: ConfigurationError.self) { try CUDAAccelerator().setUpDevice(.cuda(index)) }
    #expect(error?.problems.first?.message.hasPrefix("this process is to compute on cuda:\(index), but sees") == true)
  }
}
