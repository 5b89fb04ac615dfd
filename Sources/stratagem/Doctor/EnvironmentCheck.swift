internal import Stratagem

/// Whether the variables of launchers and clusters describe a run.
enum EnvironmentCheck {
  static func findings(_ environment: [String: String]) -> [Finding] {
    [cluster(environment), slurm(environment)]
  }

  private static func cluster(_ environment: [String: String]) -> Finding {
    do {
      let found = try ClusterEnvironments.detect(environment)
      guard found.createsProcessesExternally else {
        return .ok("launcher", "none; Stratagem starts the processes of a run itself")
      }
      let place =
        "\(found.name): rank \(found.globalRank) of \(found.worldSize), store at "
        + "\(found.mainAddress):\(found.mainPort.map(String.init) ?? "any port")"
      if let warning = found.warnings.first {
        return Finding(name: "launcher", status: .warning, message: place, remedy: warning)
      }
      return .ok("launcher", place)
    } catch {
      let remedies = error.problems.compactMap(\.suggestion).joined(separator: "; ")
      return Finding(
        name: "launcher", status: .problem, message: error.problems.map(\.message).joined(separator: "; "),
        remedy: remedies.isEmpty ? nil : remedies)
    }
  }

  private static func slurm(_ environment: [String: String]) -> Finding {
    let names = environment.keys.filter { $0.hasPrefix("SLURM_") }
    guard !names.isEmpty else { return .ok("SLURM", "not in a job") }
    func number(_ name: String) -> Int? { environment[name].flatMap { Int($0) } }
    let nodes = number("SLURM_NNODES") ?? number("SLURM_JOB_NUM_NODES") ?? 1
    guard let tasks = number("SLURM_NTASKS") else {
      return .warning(
        "SLURM", "the job has no SLURM_NTASKS, so that Stratagem starts the processes itself",
        "to let SLURM start them, write `#SBATCH --nodes=\(nodes)` and `#SBATCH --ntasks-per-node=<devices>`, and start "
          + "the program with srun")
    }
    let lines = "`#SBATCH --nodes=\(nodes)` and `#SBATCH --ntasks-per-node=\(max(1, tasks / max(1, nodes)))`"
    guard let perNode = number("SLURM_NTASKS_PER_NODE") else {
      return .problem(
        "SLURM", "SLURM_NTASKS is \(tasks), but SLURM_NTASKS_PER_NODE is not set", "write \(lines) instead of --ntasks")
    }
    if perNode * nodes != tasks {
      return .problem(
        "SLURM", "\(tasks) tasks are not \(nodes) nodes with \(perNode) tasks each",
        "write `#SBATCH --nodes=\(nodes)` and `#SBATCH --ntasks-per-node=\(perNode)`, and no --ntasks")
    }
    if environment["SLURM_PROCID"] == nil {
      return .warning(
        "SLURM", "in a job of \(tasks) tasks, but srun did not start this process", "write `srun PROGRAM`")
    }
    return .ok("SLURM", "task \(environment["SLURM_PROCID"] ?? "") of \(tasks), \(perNode) on each of \(nodes) nodes")
  }
}
