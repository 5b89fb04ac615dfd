import Testing
import TorchDistributed

@Suite(.serialized) struct CollectiveFailureTests {
  @Test(arguments: [1, 2]) func poisonedTensorsAreRefused(_ size: Int) throws {
    let run = try ProbeRun("poisoned", size: size)
    for (rank, process) in run.processes.enumerated() {
      for (label, operation) in [
        ("all-reduce", "all-reduce"), ("broadcast", "broadcast"), ("list", "broadcast"), ("into", "all-gather"),
        ("all-gather", "all-gather"), ("send", "send"),
      ] {
        #expect(
          process.text(label)
            == "own: \(operation) failed on rank \(rank): the tensor is the result of an operation that failed before")
      }
      #expect(process.numbers("after") == [Double(size)])
    }
  }

  /// Gloo ends the rank that receives too much; the others get an error. No rank goes on with wrong numbers or hangs.
  @Test func differentShapesDoNotHang() throws {
    let run = try ProbeRun("mismatch", size: 2, argument: "all-reduce", statuses: [128 + 6, 0])
    #expect(run.processes[0].errors.contains("Is there a distributed collective mismatch in your code?"))
    let text = run.processes[1].text("mismatch")
    #expect(text.hasPrefix("peer: all-reduce of [5000] float32 failed on rank 1: "), "\(text)")
  }

  @Test(arguments: ["all-reduce", "broadcast", "all-gather"])
  func detailedDebuggingNamesDifferentShapes(_ collective: String) throws {
    let run = try ProbeRun(
      "mismatch", size: 2, argument: collective, environment: ["TORCH_DISTRIBUTED_DEBUG": "DETAIL"])
    for process in run.processes {
      let text = process.text("mismatch")
      #expect(text.hasPrefix("own: \(collective) of ["), "\(text)")
      #expect(text.contains("Detected mismatch between collectives on ranks"), "\(text)")
      #expect(text.contains("TensorShape=[4]") && text.contains("TensorShape=[5000]"), "\(text)")
    }
  }

  @Test func anUnknownDebugLevelIsAnError() throws {
    let run = try ProbeRun(
      "barrier", size: 1, statuses: [1], environment: ["TORCH_DISTRIBUTED_DEBUG": "LOUD"])
    #expect(run.processes[0].text("error").contains("TORCH_DISTRIBUTED_DEBUG"))
  }

  @Test(arguments: ["all-reduce", "gather", "exchange", "broadcast", "asynchronous"])
  func detailedDebuggingLetsTheRestPass(_ scenario: String) throws {
    let plain = try ProbeRun(scenario, size: 2)
    let checked = try ProbeRun(scenario, size: 2, environment: ["TORCH_DISTRIBUTED_DEBUG": "DETAIL"])
    for (plain, checked) in zip(plain.processes, checked.processes) { #expect(plain.output == checked.output) }
  }

  @Test(arguments: [2, 3]) func theLossOfARankIsNoticed(_ size: Int) throws {
    let statuses = Array(repeating: 0, count: size - 1) + [128 + 9]
    let run = try ProbeRun("killed", size: size, statuses: statuses)
    for (rank, process) in run.processes.dropLast().enumerated() {
      let text = process.text("lost")
      #expect(text.hasPrefix("peer: all-reduce of [1000] float32 failed on rank \(rank): "), "\(text)")
      for sign in ["GLHF", ".cc:", "__w"] { #expect(!text.contains(sign), "\(text)") }
    }
  }

  @Test func absentRanksAreNamed() throws {
    let one = try ProbeRun("absent", size: 3, started: 2, argument: "2")
    for (rank, process) in one.processes.enumerated() {
      #expect(
        process.text("absent") == """
          peer: joining process group 'world' of 3 ranks failed on rank \(rank): rank 2 did not join within 2.0 s; look \
          for their own errors, or raise the timeout
          """)
    }
    let two = try ProbeRun("absent", size: 4, started: 2, argument: "2")
    for process in two.processes { #expect(process.text("absent").contains("ranks 2, 3 did not join within 2.0 s")) }
  }

  @Test(arguments: [-1, 2]) func ranksOutsideTheGroupAreRefused(_ rank: Int) throws {
    let store = try Store.server(timeout: 5)
    let error = #expect(throws: DistributedError.self) {
      _ = try ProcessGroup.gloo(store: store, rank: rank, size: 2, timeout: 1)
    }
    #expect(error?.message == "there are ranks 0 to 1 only")
  }

  @Test func onlyFailuresOfPeersAreConsequences() {
    func error(_ message: String) -> DistributedError {
      DistributedError(operation: "all-reduce", rank: 1, message: message)
    }
    #expect(error("Read error [127.0.0.1]:1: Connection reset by peer").isConsequenceOfPeer)
    #expect(error("Connection closed by peer [127.0.0.1]:1").isConsequenceOfPeer)
    #expect(error("Timed out waiting 1800000ms for recv operation to complete").isConsequenceOfPeer)
    #expect(!error("Invalid scalar type").isConsequenceOfPeer)
    #expect(!error("the tensor is the result of an operation that failed before").isConsequenceOfPeer)
    #expect(error("no").description == "all-reduce failed on rank 1: no")
  }
}
