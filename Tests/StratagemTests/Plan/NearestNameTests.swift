import Stratagem
import Testing

@Suite("Nearest name")
struct NearestNameTests {
  @Test(
    "distance",
    arguments: [
      ("", "", 0), ("", "abc", 3), ("abc", "", 3), ("ddp", "ddp", 0), ("dpp", "ddp", 1), ("dpd", "ddp", 1),
      ("ca", "abc", 2), ("kitten", "sitting", 3), ("abcd", "badc", 2), ("fdsp", "fsdp", 1), ("a", "b", 1),
    ])
  func distance(_ first: String, _ second: String, _ expected: Int) {
    #expect(NearestName.distance(first, second) == expected)
    #expect(NearestName.distance(second, first) == expected)
  }

  @Test(
    "suggestion",
    arguments: [
      ("dpp", "ddp"), ("DDP", "ddp"), ("fdsp", "fsdp"), ("deepspeed_stage2", "deepspeed_stage_2"), ("zzz", nil),
      ("", nil), ("x", nil),
    ])
  func suggestion(_ name: String, _ expected: String?) {
    let known = ["ddp", "fsdp", "deepspeed", "deepspeed_stage_2", "auto"]
    #expect(NearestName.suggestion(for: name, among: known) == expected)
  }

  @Test("equally near names stay in alphabetical order")
  func ranked() {
    #expect(NearestName.ranked("ab", among: ["xb", "ab", "ac", "zzzz"]) == ["ab", "ac", "xb", "zzzz"])
    #expect(NearestName.suggestion(for: "ddp", among: []) == nil)
  }
}
