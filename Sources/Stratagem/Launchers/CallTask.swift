import Glibc

/// What a process that was started for one call has to do: which call of the program it runs, and as which rank.
struct CallTask: Sendable, Hashable {
  /// The number of the call in the program, from 1.
  let number: Int
  /// The name of the call, such as `fit`.
  let call: String
  let identity: WorkerIdentity
  /// Where the processes meet.
  let address: String
  let port: Int

  /// The task as the value of an environment variable.
  var text: String {
    let numbers = [
      number, identity.localRank, identity.nodeRank, identity.localWorldSize,
      identity.worldSize / max(1, identity.localWorldSize), port,
    ]
    return (numbers.map(String.init) + [call, address]).joined(separator: ",")
  }

  init(number: Int, call: String, identity: WorkerIdentity, address: String, port: Int) {
    self.number = number
    self.call = call
    self.identity = identity
    self.address = address
    self.port = port
  }

  init?(_ text: String) {
    let parts = text.split(separator: ",", maxSplits: 7).map(String.init)
    let numbers = parts.prefix(6).compactMap { Int($0) }
    guard parts.count == 8, numbers.count == 6 else { return nil }
    self.init(
      number: numbers[0], call: parts[6],
      identity: WorkerIdentity(
        localRank: numbers[1], nodeRank: numbers[2], localWorldSize: numbers[3], numNodes: numbers[4]),
      address: parts[7], port: numbers[5])
  }

  /// The task of this process; nil when it was not started for one.
  static var own: CallTask? {
    guard WorkerProcess.isWorker else { return nil }
    return ProcessVariables.current[WorkerVariable.task].flatMap { CallTask($0) }
  }

  /// Lets the program see its place, as under every other launcher. Until the call begins it has none, like the main
  /// process, so that it takes the same path.
  func publishVariables() {
    for (name, value) in identity.variables(mainAddress: address, mainPort: port) { setenv(name, value, 1) }
  }
}
