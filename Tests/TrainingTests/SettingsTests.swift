import Testing

@Suite("Settings of libtorch for a run")
struct SettingsTests {
  @Test("Deterministic algorithms hold for the run", arguments: [("on", true), ("warn", true), ("off", false)])
  func deterministic(_ choice: String, _ expected: Bool) throws {
    let run = try ProbeRun("settings", 2, "epochs=1", "deterministic=\(choice)").succeeded()
    let lines = run.run.outputLines
    #expect(lines.filter { $0.hasSuffix("in a step: deterministic \(expected), anomalies false") }.count == 2)
    #expect(lines.filter { $0.hasSuffix("afterwards: deterministic false, anomalies false") }.count == 2)
  }

  @Test("A NaN of the backward pass is named with its function, when that is asked for", arguments: [1, 2])
  func anomaly(_ ranks: Int) throws {
    let run = try ProbeRun("settings", ranks, "epochs=1", "fault=nan-in-backward", "detect-anomaly").succeeded()
    #expect(
      run.run.outputLines.contains { $0.contains("failed: ") && $0.contains("'SqrtBackward0' returned nan values") })
    #expect(run.run.outputLines.contains("in a step: deterministic false, anomalies true"))
    #expect(run.run.outputLines.contains("afterwards: deterministic false, anomalies false"))

    let silent = try ProbeRun("settings", ranks, "epochs=1", "fault=nan-in-backward", "train=4", "batch=4").succeeded()
    #expect(!silent.run.outputLines.contains { $0.contains("failed: ") })
  }
}
