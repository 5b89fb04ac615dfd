import Testing
import TorchDistributed

@testable import Stratagem

/// How a trainer comes to what synchronizes layers.
@Suite struct LayerSyncTests {
  private final class Mine: LayerSync {
    func apply(to module: Module, in group: ProcessGroup) {}
    func revert() {}
  }

  private func trainer(_ plugins: [Any] = [], syncBatchNorm: Bool = false) throws -> Trainer {
    try Trainer(
      strategy: "ddp", accelerator: "cpu", devices: 2, plugins: plugins, syncBatchNorm: syncBatchNorm, loggers: [],
      progress: .silent)
  }

  @Test func syncBatchNormIsBatchNormalization() throws {
    #expect(try trainer().strategy.layerSync == nil)
    #expect(try trainer(syncBatchNorm: true).strategy.layerSync is SyncBatchNormalization)
  }

  @Test func aPluginIsTaken() throws {
    let mine = Mine()
    #expect(try trainer([mine]).strategy.layerSync === mine)
    let error = try #require(throws: ConfigurationError.self) { try trainer([Mine()], syncBatchNorm: true) }
    #expect(error.description.contains("syncBatchNorm and the plugin Mine are both given; choose one"))
    let two = try #require(throws: ConfigurationError.self) { try trainer([Mine(), SyncBatchNormalization()]) }
    #expect(two.problems.count == 1)
  }

  @Test func revertingWithoutApplyingIsAllowed() {
    let layer = BatchNorm1d(2)
    SyncBatchNormalization().revert()
    #expect(layer.normalizer == nil)
  }
}
