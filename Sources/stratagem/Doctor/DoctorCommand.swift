internal import ArgumentParser
internal import Glibc
internal import Stratagem

/// `stratagem doctor`: whether runs can work on this machine and in this environment.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Check this machine and environment for distributed runs.",
    discussion:
      "Each line is ok, a warning or a problem, with the remedy. The exit status is 1 when there is a problem.")

  @Flag(help: "Print JSON.")
  var json = false

  @Flag(help: "Do not start processes that compute together.")
  var noSelfTest = false

  func run() throws {
    let environment = ClusterEnvironments.processVariables
    var findings = SoftwareCheck.findings + ProcessorCheck.findings(environment) + MemoryCheck.findings
    findings += [AcceleratorCheck.finding]
    findings += NetworkCheck.findings(environment) + EnvironmentCheck.findings(environment)
    if !noSelfTest { findings.append(SelfTest.finding) }
    let problems = findings.count { $0.status == .problem }
    let warnings = findings.count { $0.status == .warning }
    if json {
      print(
        JSONTree.object([
          ("checks", .list(findings.map(\.json))), ("problems", .number(problems)), ("warnings", .number(warnings)),
        ]).text())
    } else {
      for finding in findings { print(finding.line) }
      print(summary(problems, warnings))
    }
    if problems > 0 { throw ExitCode.failure }
  }

  private func summary(_ problems: Int, _ warnings: Int) -> String {
    func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
    if problems == 0, warnings == 0 { return "everything is fine" }
    return "\(count(problems, "problem")), \(count(warnings, "warning"))"
  }
}
