import Testing
import Torch

@testable import TorchDistributed

@Suite("NCCL, as far as it goes without a GPU", .serialized)
struct NCCLTests {
  @Test("names of backends as PyTorch writes them")
  func names() {
    #expect(ProcessGroupBackend(name: "NCCL") == .nccl)
    #expect(ProcessGroupBackend(name: "cpu:gloo,cuda:nccl") == .nccl)
    #expect(ProcessGroupBackend(name: "gloo") == .gloo)
    #expect(ProcessGroupBackend(name: "ucc") == nil)
    #expect(ProcessGroupBackend.gloo.problem == nil)
  }

  @Test("a build for CPUs has no NCCL, and its header and library are those of one version")
  func build() {
    let problem = ProcessGroupBackend.nccl.problem
    #expect(TorchRuntime.isCUDABuild || problem == "libtorch is a build for CPUs")
    #expect(TorchRuntime.isCUDABuild || TorchRuntime.cudaDeviceCount == 0)
    #expect(problem?.contains("libtorch was built with NCCL") != true)
  }

  @Test("a group on NCCL is refused before the other ranks hear of it", .enabled(if: TorchRuntime.cudaDeviceCount == 0))
  func refused() throws {
    let store = try Store.server(timeout: 20)
    let error = #expect(throws: DistributedError.self) {
      try ProcessGroup.join(.nccl, store: store, rank: 0, size: 2, timeout: 20, address: "127.0.0.1")
    }
    #expect(error?.message.hasPrefix("NCCL cannot be used: ") == true)
    #expect(error?.message.contains("Scripts/setup") == (ProcessGroupBackend.nccl.problem != nil))
    #expect(try !store.contains("joined/world/0"))
  }

  @Test("a group on Gloo has nothing of it, and can be connected and given up all the same")
  func gloo() throws {
    let store = try Store.server(timeout: 20)
    let group = try ProcessGroup.join(.gloo, store: store, rank: 0, size: 1, timeout: 20, address: "127.0.0.1")
    #expect(group.backend == .gloo)
    try group.connect(.cuda(0))
    ProcessGroup.abortNCCL()
    let part = try group.subgroup([0])
    #expect(part.backend == .gloo)
    let sum = Tensor([1, 2] as [Float])
    try part.allReduce(sum)
    #expect(try sum.array(as: Float.self) == [1, 2])
  }

  @Test("the device functions do nothing for processors and fail for a GPU that there is not")
  func devices() throws {
    try TorchRuntime.setCurrentDevice(.cpu)
    try TorchRuntime.synchronize(.cpu)
    let absent = Device.cuda(TorchRuntime.cudaDeviceCount)
    #expect(TorchRuntime.busAddress(of: absent) == nil && TorchRuntime.busAddress(of: .cpu) == nil)
    #expect(throws: TorchError.self) { try TorchRuntime.setCurrentDevice(absent) }
    #expect(throws: TorchError.self) { try TorchRuntime.synchronize(absent) }
  }

  /// As c10d's `NCCLUtils` puts them together.
  private func message(_ words: String, _ explanation: String, last: String? = nil) -> String {
    let start =
      "NCCL error in: /pytorch/torch/csrc/distributed/c10d/NCCLUtils.hpp:94, \(words), NCCL version 2.29.7\n\(explanation)"
    return last.map { "\(start)\nLast error:\n\($0)" } ?? start
  }

  @Test("failures of NCCL come with its own words and what to do")
  func messages() {
    let twice = message(
      "invalid usage (run with NCCL_WARN=1 for details)",
      "ncclInvalidUsage: This usually reflects invalid usage of NCCL library.",
      last: "Duplicate GPU detected : rank 1 and rank 0 both on CUDA device 1000")
    #expect(
      NCCLMessage.explained(twice) == """
        Duplicate GPU detected : rank 1 and rank 0 both on CUDA device 1000; two ranks are on one \
        GPU: give each its own by `devices`, or choose processGroupBackend: .gloo
        """)
    let shared = message(
      "unhandled system error (run with NCCL_DEBUG=INFO for details)",
      "ncclSystemError: System call (e.g. socket, malloc) or external library call failed or device error.",
      last: "Error while creating shared memory segment /dev/shm/nccl-x (size 9637888)")
    #expect(
      NCCLMessage.explained(shared)?.hasPrefix(
        "ncclSystemError: Error while creating shared memory segment /dev/shm/nccl-x (size 9637888); in a container")
        == true)
    let plain = message(
      "unhandled cuda error (run with NCCL_DEBUG=INFO for details)",
      "ncclUnhandledCudaError: Call to CUDA function failed.")
    #expect(
      NCCLMessage.explained(plain)?.hasPrefix("ncclUnhandledCudaError: Call to CUDA function failed.; see") == true)
    #expect(NCCLMessage.explained("Connection closed by peer") == nil)
    let peer = DistributedError(operation: "all-reduce", rank: 0, message: "ncclRemoteError: A call failed")
    #expect(peer.isConsequenceOfPeer)
  }
}
