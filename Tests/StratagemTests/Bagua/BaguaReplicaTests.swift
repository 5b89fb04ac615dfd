import Testing
import TorchDistributed

@testable import Stratagem

@Suite("Whose state a sharded checkpoint of replicas holds")
struct BaguaReplicaTests {
  @Test("Ranks share the writing only where they have the same bits; otherwise rank 0 writes")
  func replicas() throws {
    for name in ["decentralized", "low_precision_decentralized", "async"] {
      #expect(try !BaguaStrategy(algorithm: name).hasEqualReplicas, "\(name)")
    }
    for name in ["gradient_allreduce", "bytegrad", "qadam"] {
      #expect(try BaguaStrategy(algorithm: name).hasEqualReplicas, "\(name)")
    }
    #expect(DDPStrategy().hasEqualReplicas)
    #expect(!DDPStrategy(communicationHook: .postLocalSGD(startStep: 2), modelAveragingPeriod: 2).hasEqualReplicas)
  }
}
