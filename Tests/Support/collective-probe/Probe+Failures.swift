import Glibc
import Torch
import TorchDistributed

extension Probe {
  func refusePoisoned() throws {
    let group = try group()
    try? withErrorScope {
      let poisoned = Tensor.zeros([2]) + Tensor.zeros([3])
      sayFailure("all-reduce") { try group.allReduce(poisoned) }
      sayFailure("broadcast") { try group.broadcast(poisoned) }
      sayFailure("list") { try group.broadcast([Tensor.zeros([1]), poisoned]) }
      sayFailure("into") { try group.allGather(into: Tensor.zeros([size]), from: poisoned) }
      sayFailure("all-gather") { _ = try group.allGather(poisoned) }
      sayFailure("send") { try group.startSend(poisoned, to: 0).wait() }
    }
    let tensor = Tensor.ones([1])
    try group.allReduce(tensor)
    try say("after", tensor)
  }

  func disagreeOnShapes() throws {
    try meet(size)
    let group = try group(timeout: 3)
    let length = rank == 0 ? 4 : 5000
    sayFailure("mismatch") {
      switch argument {
      case "all-reduce": try group.allReduce(Tensor.zeros([length]))
      case "broadcast": try group.broadcast(Tensor.zeros([length]))
      default: try group.allGather(into: Tensor.zeros([size * length]), from: Tensor.zeros([length]))
      }
    }
  }

  func loseRank() throws {
    let group = try group(timeout: 20)
    try group.barrier()
    if rank == size - 1 { kill(getpid(), SIGKILL) }
    sayFailure("lost") {
      for _ in 0..<1000 { try group.allReduce(Tensor.ones([1000])) }
    }
  }

  func awaitAbsentRank() throws {
    try meet(Int(argument) ?? size)
    sayFailure("absent") { _ = try group(timeout: 2) }
  }
}
